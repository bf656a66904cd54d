FROM busybox
ADD a.tar.gz b.tar.xz /x/
ADD --checksum=sha256:0123456789012345678901234567890123456789012345678901234567890123 http://example.test/f /f
ADD --unpack=true http://example.test/f.tgz /f/
ADD --keep-git-dir=true git@example.test:a/b.git#main:sub /src
ADD https://example.test/a/b.git#v1 /src2
ADD --chmod=u+x,go-w --chown=1000:app --link f /g
ADD ["a b", "c", "/d e/"]
ADD --exclude=*.md --exclude=!x.md . /docs
