FROM busybox
ONBUILD RUN <<X
echo $a
X
ONBUILD ADD <<'Y' /y
$z
Y
