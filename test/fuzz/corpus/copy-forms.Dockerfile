FROM busybox AS one
FROM scratch
COPY a b c/ /dest/
COPY --parents a/./b/*.c x/**/y /p/
COPY --exclude=**/*.o src /src
COPY --chmod=0755 --chown=1:2 x /y
COPY --chmod=a=rX,u+w d /e
COPY --from=0 / /all
COPY --from=one /bin/[a-m]* /bin/
COPY --from=busybox:latest /etc /etc
COPY --link=false ["with space", "./"]
COPY . .
