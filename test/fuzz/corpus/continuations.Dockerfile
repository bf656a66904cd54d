FROM \
  busybox \

  AS \
# comment
  stage
ENV a=b \
    # indented comment
    c=d\
e=f \

RUN echo \\
RUN echo \ 
  x
RUN echo a \
# only comment
