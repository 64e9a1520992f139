#!/bin/sh
# Makes a fresh Debian, within it, the root of Millrace's container: container.sh PACKAGE.deb
set -eu
# Always the same number, so that a volume stays its own.
getent passwd millrace > /dev/null || useradd --system --user-group --uid 7171 --home-dir /var/lib/millrace \
    --shell /usr/sbin/nologin millrace
apt-get update -q
# curl is for the health check.
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$1" ca-certificates curl
rm -rf /var/lib/apt/lists/* "$1"
