#!/usr/bin/env bash
# Installs SLURM and what it needs, on Debian and its kin, where it is not there yet.
set -euo pipefail
packages=(slurmctld slurmd slurm-client slurmdbd munge mariadb-server)
dpkg-query --show --showformat '${Status}\n' "${packages[@]}" 2>/dev/null | grep -c '^install ok installed' |
    grep -qx "${#packages[@]}" && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test-slurm needs root and apt-get to install ${packages[*]}: run it as root on Debian, or install them." >&2
    exit 1
fi
echo "installing ${packages[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
