#!/usr/bin/env slipway
# syntax = docker/dockerfile:1
FROM scratch
COPY x /
