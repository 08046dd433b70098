#!/bin/sh
set -eu
version=$1 channel=$2 out=$3
mkdir -p "$out/pub/openshift-v4/x86_64/clients/ocp/$version"
echo hello >"$out/pub/openshift-v4/x86_64/clients/ocp/$version/release.txt"
