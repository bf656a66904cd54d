FROM alpine
RUN <<EOF
#!/bin/sh
echo one
echo "$HOME"
EOF
COPY <<a <<-"b" <<'c d' /out/
first $x
a
		tabs $y
	b
quoted
c d
RUN 3<<IN cat <&3; python3 - <<-PY
in
IN
	print(1)
	PY
RUN <<SH bash -ex
ls
SH
