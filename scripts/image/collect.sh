# Makes the root file system of Slipway's image below a directory: programs of this Debian system with the libraries that
# they load, the licenses and package facts of both, busybox's commands for all else, users, and folders to write to.
#   sh collect.sh DIR
set -eu
image=$1
work=$(dirname "$0")

mkdir -p "$image/usr/bin" "$image/usr/lib" "$image/usr/lib64" "$image/usr/sbin" "$image/etc/ssl/certs"
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$image/$name"; done
: >/tmp/taken

# A file at its place; a link becomes the file that it leads to.
take() {
  target=$image$(readlink -f "$(dirname "$1")")/$(basename "$1")
  [ ! -e "$target" ] || return 0
  mkdir -p "$(dirname "$target")"
  cp -pL "$1" "$target"
  { echo "$1"; readlink -f "$1"; } >>/tmp/taken
}

# The same for a program, with its libraries.
take_program() {
  take "$1"
  # Nothing is printed for a script.
  { ldd "$1" 2>/dev/null || true; } | sed -n 's/^\t\(.* => \)\?\(\/[^ ]*\) (.*/\2/p' | while read -r library; do
    take "$library"
  done
}

strip /usr/bin/node
for name in dash node git ssh setpriv unshare mount umount crun newuidmap newgidmap xz bzip2 zstd busybox; do
  take_program "$(command -v "$name")"
done
# Not setuid: root in a container has not the capability SYS_ADMIN that it would need then, and the user needs only this.
chmod u-s "$image/usr/bin/newuidmap" "$image/usr/bin/newgidmap"
setcap cap_setuid+ep "$image/usr/bin/newuidmap"
setcap cap_setgid+ep "$image/usr/bin/newgidmap"
# git over http, and what `git submodule` is written in.
for name in git-remote-http git-submodule git-sh-setup git-sh-i18n; do take_program "/usr/lib/git-core/$name"; done
ln -s ../../bin/git "$image/usr/lib/git-core/git"
ln -s git-remote-http "$image/usr/lib/git-core/git-remote-https"
# By name, not by linking.
for library in libnss_dns.so.2 libnss_files.so.2; do
  take "/usr/lib/$(uname -m)-linux-gnu/$library"
done
# busybox's own shell would take its commands before the programs above.
ln -s dash "$image/usr/bin/sh"
for applet in $(busybox --list); do
  [ -e "$image/usr/bin/$applet" ] || ln -s busybox "$image/usr/bin/$applet"
done

# Not the bundle in /etc: a build that trusts a machine's own authorities sees them there.
cat /usr/share/ca-certificates/mozilla/*.crt >"$image/etc/ssl/certs/ca-certificates.crt"
take /etc/os-release
take /usr/share/doc/node/copyright
printf 'hosts: files dns\n' >"$image/etc/nsswitch.conf"
printf 'root:x:0:0:root:/root:/bin/sh\nslipway:x:1000:1000::/home/slipway:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' \
  >"$image/etc/passwd"
printf 'root:x:0:\nslipway:x:1000:\nnogroup:x:65534:\n' >"$image/etc/group"
for file in subuid subgid; do printf 'root:100000:65536\nslipway:165536:65536\n' >"$image/etc/$file"; done

# What scanners read, and what the licenses ask for.
mkdir -p "$image/var/lib/dpkg/status.d"
# A file is known by the path that its package gives it, which may be without `/usr`; node is of no package.
sed 'p; s#^/usr##' /tmp/taken | sort -u | { xargs dpkg-query --search 2>/dev/null || true; } >/tmp/owners
for package in $(sed 's/:.*//' /tmp/owners | sort -u) ca-certificates; do
  dpkg-query --status "$package" >"$image/var/lib/dpkg/status.d/$package"
  mkdir -p "$image/usr/share/doc/$package"
  cp -p "/usr/share/doc/$package/copyright" "$image/usr/share/doc/$package/"
done

mkdir -p "$image/usr/local/bin" "$image/kaniko" "$image/kaniko/ssl/certs" "$image/var/lib/slipway" "$image/workspace"
cp "$work/slipway.sh" "$image/usr/local/bin/slipway"
cp "$work/slipway.sh" "$image/kaniko/executor"
chmod 755 "$image/usr/local/bin/slipway" "$image/kaniko/executor"
mkdir -p "$image/root" "$image/home/slipway" "$image/tmp" "$image/run"
chmod 700 "$image/root"
chown 1000:1000 "$image/home/slipway"
# Anybody may write there, whoever the container runs as; what lies there already is root's.
chmod 1777 "$image/tmp" "$image/var/lib/slipway" "$image/kaniko" "$image/kaniko/ssl/certs" "$image/workspace"
