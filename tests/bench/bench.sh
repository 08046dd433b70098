#!/usr/bin/env bash
# What `make bench` runs, as root: bench.sh OCP2 FOLDER [OPTIONS OF run.py]
# A lab of its own for each half, so that one of the usual name may stay.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
ocp2=$1 folder=$2
shift 2
export OCP2_LAB_NAME=ocp2bench
lab=/var/lib/$OCP2_LAB_NAME

if [ ! -x "$folder/bin/pyinfra" ]; then
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet -r "$here/requirements.txt"
fi
# Each host's systemd watches files: 32 of them do so more often than a machine allows as it comes.
instances=$(sysctl -n fs.inotify.max_user_instances)
trap '"$ocp2" lab down; sysctl -q -w fs.inotify.max_user_instances="$instances"' EXIT
[ "$instances" -ge 512 ] || sysctl -q -w fs.inotify.max_user_instances=512

# Ansible's module for packages needs one of its own, which the hosts have no way to fetch.
provide() { # PACKAGE
  local debs=$folder/debs
  mkdir -p "$debs/partial"
  apt-get install --yes -qq --no-install-recommends --download-only \
    -oDir::State::status="$lab/hosts/bm1/root/var/lib/dpkg/status" -oDir::Cache::archives="$debs" \
    -oDebug::NoLocking=1 "$1"
  for host in bm1 bm2; do
    install -d "$lab/hosts/$host/root/opt/bench"
    cp "$debs"/*.deb "$lab/hosts/$host/root/opt/bench/"
    "$ocp2" lab exec "$host" -- bash -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /opt/bench/*.deb' >/dev/null
  done
}

measure() { # HOSTS SCRIPT [OPTIONS]
  "$ocp2" lab down
  "$ocp2" lab up --hosts "$1"
  provide python3-apt
  "$ocp2" lab exec workstation -- "$folder/bin/python" "$here/$2" --ocp2 "$ocp2" --lab "$lab" --work "$folder/work" "${@:3}"
}
measure 2 run.py "$@"
measure 4 images.py
measure 32 grow.py
