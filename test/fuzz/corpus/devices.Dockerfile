FROM busybox
RUN --device=vendor.test/class=dev,required=false ls
RUN --security=insecure mount
RUN --mount=type=bind,src=a,dst=b,readonly=false --mount=type=cache,dst=/c,ro true
RUN --mount=type=nope,target=/x true
