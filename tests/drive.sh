#!/bin/bash
# What --drive runs beside a server that listens at $PORT: wait until it answers,
# then ask it N times.
#
#   PORT=8080 goload compare --drive 'bash tests/drive.sh N' A B
#
# shellcheck disable=SC1091,SC2034
. "$(dirname "$0")/serve.sh"

pid=$GOLOAD_PID # whose end wait_for looks for
wait_for "$PORT"
pid=
ask "$PORT" "$1"
