#!/bin/sh
# Slipway in its image, by either of its names. Each user has a store of its own.
# What runs beside it in the container may send it SIGUSR1: a debugger that this starts must not be found, see SECURITY.md.
debugger=--inspect-publish-uid=stderr
export SLIPWAY_ROOT="${SLIPWAY_ROOT:-/var/lib/slipway/$(id -u)}"
case "$0" in
  */executor) exec node $debugger /opt/slipway/bin/slipway kaniko "$@" ;;
  *) exec node $debugger /opt/slipway/bin/slipway "$@" ;;
esac
