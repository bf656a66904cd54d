FROM scratch
ADD git://example.test/x.git?ref=main&subdir=a&checksum=0123456789012345678901234567890123456789 /a
ADD ssh://git@example.test:22/x/y.git /b
ADD https://user:pw@example.test/x.git#:sub /c
ADD http://[::1]:80/x%20y?q#f /d/
