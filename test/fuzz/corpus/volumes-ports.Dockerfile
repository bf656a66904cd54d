FROM scratch
VOLUME ["/a", "/b c"]
VOLUME /d /e
EXPOSE 80 443/tcp 53/udp 1000-1010/sctp
EXPOSE 127.0.0.1:80:8080
LABEL a=b c="d e" f='g h' i\ j=k
LABEL old style label
MAINTAINER Someone <some@one>
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
STOPSIGNAL 9
