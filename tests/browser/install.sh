#!/usr/bin/env bash
# Installs chromium on Debian and its kin, where it is not there yet.
set -euo pipefail
command -v chromium >/dev/null && exit 0
sudo=$([ "$(id -u)" = 0 ] || echo sudo)
echo "installing chromium"
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
