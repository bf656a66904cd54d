ARG HTTP_PROXY
ARG http_proxy=x
FROM busybox
ARG HTTPS_PROXY
ARG no_proxy
RUN env
ENV HTTP_PROXY=y
RUN env
