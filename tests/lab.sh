#!/usr/bin/env bash
# The tests on lab hosts, in two halves side by side, each with labs of its own: those that install
# clusters keep the cores busy, the others wait most of the time. Run by `make test`, as root.
#
#   tests/lab.sh CARGO [TEST...]    with names of tests, only these
set -uo pipefail
cargo=$1
# Modules of tests/lab/main.rs.
installing=(dhcp:: disconnected:: installed:: upi:: waits::)
target=$("$cargo" metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
ocp2=$target/debug/ocp2

half() { # NAME ARGUMENTS
  {
    "$cargo" test --locked --test lab -- --test-threads=1 "${@:2}" 2>&1
    echo "$?" >"$target/lab-$1.status"
    "$ocp2" lab down 2>&1
  } | sed -u "s/^/$1: /"
}

if [ "$#" -gt 1 ]; then
  "$ocp2" lab down && half some "${@:2}"
  exit "$(cat "$target/lab-some.status")"
fi

# What the hosts are made of is built once, before two labs want it.
for kind in "" --bare; do
  "$ocp2" lab down && "$ocp2" lab up $kind && "$ocp2" lab down || exit
done
rm -f "$target"/lab-*.status
OCP2_LAB_NAME=ocp2lab2 half hosts "${installing[@]/#/--skip=}" &
half clusters "${installing[@]}"
wait
failed=0
for name in hosts clusters; do
  if [ "$(cat "$target/lab-$name.status")" != 0 ]; then
    echo "the half called $name failed: see its lines above" >&2
    failed=1
  fi
done
exit "$failed"
