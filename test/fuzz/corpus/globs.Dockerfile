FROM busybox
COPY [a-z]*.txt *.?? \*literal /x/
COPY [[]x] /y/
COPY a\ b /z
COPY **/deep /d/
COPY --exclude=[a-c]/** --exclude=\[x . /e
COPY --from=0 /etc/pass?d /
