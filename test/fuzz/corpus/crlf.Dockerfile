FROM busybox
RUN echo \
  a
ENV a=b
COPY <<E /x
line
E
CMD ["x"]
