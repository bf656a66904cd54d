# escape=`
FROM busybox
ENV dir=C:\foo
RUN echo `
  hello `
  world
COPY . C:\x\
WORKDIR ${dir}\bar
