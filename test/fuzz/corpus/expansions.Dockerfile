ARG a=1 b="two words" c
FROM scratch
ARG a
ARG b=${b:-none}
ENV x=${a:-d}${b:+e}${c-f}${c+g} y=${a#1}${b##* }${b%w*}${b%%o*} z=${b/o/0} zz=${b//o/0}
ENV q="${a:-${b:-${c:-deep}}}" r='$a' s=\$a t="\"$a\"" u=${a:?must} v=${a?must}
LABEL one=$x "two"="$y" three=${z}
WORKDIR /${x}/${y}
VOLUME $x ${y} ["/a"]
EXPOSE ${a}80 8${a}/udp 1-3
STOPSIGNAL SIG${c:-TERM}
USER ${a}:${a}
