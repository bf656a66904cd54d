#!/bin/sh
set -e

# `run image --flag`, and `run image script.js`, mean node. Anything that is a program is run as it is.
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi

exec "$@"
