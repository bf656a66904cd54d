ARG top=1
ARG derived=${top}2
FROM busybox:${derived} AS a
RUN echo $top
ARG top
RUN echo $top
ARG other=$top$derived
ENV top=env
RUN echo $top $other
ARG top=again
FROM a
ARG other
RUN echo $other $top
ARG x y=2 z
