FROM busybox
ARG m=755 o=app
COPY --chmod=$m --chown=$o a /
COPY --chmod=+x a /b
COPY --chmod=ug=rwx,o-rwx,+t a /c
COPY --chown=:5 a /d
COPY --chown=5: a /e
ADD --chmod=7777 a /f
