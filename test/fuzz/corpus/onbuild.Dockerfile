FROM busybox AS base
ONBUILD ARG who=world
ONBUILD RUN echo $who
ONBUILD COPY --chown=1:1 . /src
ONBUILD COPY <<EOT /f
text
EOT
ONBUILD ENTRYPOINT ["x"]
FROM base
FROM busybox
ONBUILD WORKDIR /x
