#!/bin/sh
# Slipway in its image, by either of its names. Each user has a store of its own.
export SLIPWAY_ROOT="${SLIPWAY_ROOT:-/var/lib/slipway/$(id -u)}"
case "$0" in
  */executor) exec node /opt/slipway/bin/slipway kaniko "$@" ;;
  *) exec node /opt/slipway/bin/slipway "$@" ;;
esac
