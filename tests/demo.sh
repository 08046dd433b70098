#!/usr/bin/env bash
# The last act of `make demo`, run on the lab's workstation: who answers behind
# each host's public address. The certificate is verified, the names are in no DNS.
set -euo pipefail
kubeconfig=$1
authority=$(mktemp)
trap 'rm -f "$authority"' EXIT
sed -n 's/ *certificate-authority-data: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$kubeconfig" | base64 -d >"$authority"
api=$(sed -n 's/ *tls-server-name: *//p' "$kubeconfig" | head -n1)

answer() { # ADDRESS NAME PORT PATH
  curl -sS -m 10 -o /dev/null -D - --cacert "$authority" --resolve "$2:$3:$1" "https://$2:$3$4" |
    tr -d '\r' | awk -v what="https://$2:$3$4" -v at="$1" '
      NR == 1 { status = $2 }
      tolower($1) == "x-standin-node:" { node = $2 }
      END { printf "  %-12s %-48s %s from %s\n", at, what, status, node }'
}

for address in 192.0.2.11 192.0.2.12; do
  for _ in 1 2 3 4 5 6; do answer "$address" "$api" 6443 /readyz; done | sort -u
  answer "$address" "${api/api./console-openshift-console.apps.}" 443 /
done
