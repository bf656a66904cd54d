FROM busybox
USER app
WORKDIR rel
WORKDIR /abs/../other/./x//
WORKDIR $HOME
USER 1000:1000
USER root:wheel
WORKDIR ""
WORKDIR "with space"
USER  "quoted"
