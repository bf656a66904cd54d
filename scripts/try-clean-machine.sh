#!/usr/bin/env bash
# For developers: shows `npm start` and `npm test` on a fresh Debian 12 machine, in a chroot that is made for it with
# nothing but this machine's Node.js and npm added. As root; needs mmdebstrap and some 6 GB below $TMPDIR.
#   scripts/try-clean-machine.sh [--keep] [--no-git] [command…]    default: npm start, npm start again, npm test
# What is tried is the last commit, or with --no-git the files as they lie.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=false
from_git=true
while [[ ${1-} == --* ]]; do
  case $1 in
    --keep) keep=true ;;
    --no-git) from_git=false ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
[[ $(id -u) == 0 ]] || { echo 'needs root: it makes a chroot' >&2; exit 1; }

machine=$(mktemp -d -t slipway-machine-XXXXXX)
chmod 755 "$machine"

clean_up() {
  if $keep; then echo "kept: $machine" >&2; else rm -rf --one-file-system "$machine"; fi
  rm -f "$machine.sources"
}
trap clean_up EXIT

echo "making a Debian 12 machine in $machine" >&2
(cd "$root" && node --input-type=module -e "
  import { debianSources } from './scripts/bases/debian.mjs';
  process.stdout.write(await debianSources());
") > "$machine.sources"
mmdebstrap --quiet --mode=root --variant=minbase --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
  --customize-hook='rm -rf "$1"/var/lib/apt/lists/*' bookworm "$machine" "$machine.sources"

# Node.js and npm as their packages install them, and nothing else of this machine.
install -D -m 755 "$(node -p process.execPath)" "$machine/usr/local/bin/node"
npm_folder=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
mkdir -p "$machine/usr/local/lib/node_modules"
cp -a "$npm_folder" "$machine/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$machine/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$machine/usr/local/bin/npx"

# The way to the package registries, as this machine has it: resolver, proxy, certificate authorities.
cp -L /etc/resolv.conf /etc/hosts "$machine/etc/"
environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM-dumb}" LANG=C.UTF-8)
if [[ -n ${NODE_EXTRA_CA_CERTS-} ]]; then
  install -D -m 644 "$NODE_EXTRA_CA_CERTS" "$machine/etc/ssl/certs/ca-certificates.crt"
  environment+=(NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt)
fi
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY npm_config_registry; do
  [[ -n ${!name-} ]] && environment+=("$name=${!name}")
done
for file in /etc/apt/apt.conf.d/*proxy*; do
  [[ -e $file ]] && cp "$file" "$machine/etc/apt/apt.conf.d/"
done

project=$machine/root/slipway
if $from_git; then
  git clone --quiet "$root" "$project"
else
  mkdir -p "$project"
  tar -C "$root" --exclude=./.git --exclude=./node_modules --exclude=./dist -cf - . | tar -C "$project" -xf - --no-same-owner
fi

inside() {
  echo "--- $*" >&2
  local started=$SECONDS code=0
  # Its own mounts and processes, so that nothing outlives it; pivot_root, since the kernel allows no user namespaces
  # below a mere chroot.
  unshare --mount --pid --fork --kill-child env -i "${environment[@]}" MACHINE="$machine" bash -ec '
    mount --bind "$MACHINE" "$MACHINE"
    cd "$MACHINE"
    mount -t proc proc proc
    mount --rbind /sys sys
    mount --rbind /dev dev
    mkdir -p .outside
    pivot_root . .outside
    cd /root/slipway
    umount --lazy /.outside
    unset MACHINE OLDPWD
    # Not exec: this shell is process 1 here, and reaps what others leave behind.
    code=0
    "$@" || code=$?
    exit "$code"
  ' bash "$@" || code=$?
  echo "--- $* ended with code $code after $((SECONDS - started)) s" >&2
  return "$code"
}

if [[ $# -gt 0 ]]; then
  inside "$@"
else
  inside npm start
  inside npm start
  inside npm test
fi
