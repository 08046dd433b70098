#!/usr/bin/env bash
# What takes long and breaks rarely, in parts of 45 minutes at most. Run by `make test-full PART=NAME`.
#
#   tests/full.sh known PART    fails, and says which parts there are, unless PART is one of them
#   tests/full.sh run PART CARGO
#
# A part is a function below whose name begins with `part_`; the comment behind it is what is said of it.
set -euo pipefail
cd "$(dirname "$0")/.."
do=${1-} part=${2-} cargo=${3:-cargo}

part_kills() { # a run on lab hosts that is killed at 30 different moments, and carried on
  "$cargo" test --locked --no-run --test lab
  as_root env "PATH=$PATH" OCP2_KILLS="${OCP2_KILLS:-30}" bash tests/lab.sh "$cargo" \
    interruption::a_killed_run_is_carried_on_wherever_it_was
}

# At most so often, and at most so many seconds, is each target executed.
FUZZ_RUNS=${FUZZ_RUNS:-10000000}
FUZZ_SECONDS=${FUZZ_SECONDS:-60}

part_fuzz() { # all that reads what a host, a file or the cluster says, fed by libFuzzer (FUZZ_RUNS, FUZZ_SECONDS)
  local tools=$PWD/target/fuzz-tools log targets target failed=0
  "$cargo" install --quiet --locked --root "$tools" --version =0.13.2 cargo-fuzz
  fuzz/corpus.py
  # The same versions as ocp2 is built with; what is for fuzzing alone is added to them.
  cp Cargo.lock fuzz/Cargo.lock
  # Without a sanitizer, which needs a nightly compiler: ocp2 has no unsafe code for one to watch.
  fuzz() { PATH=$tools/bin:$PATH "$cargo" fuzz "$1" --sanitizer none "${@:2}"; }
  fuzz build
  log=$(mktemp)
  targets=$(PATH=$tools/bin:$PATH "$cargo" fuzz list)
  for target in $targets; do
    # No input may take longer than 10 s, or more than 512 MiB.
    if fuzz run "$target" -- -runs="$FUZZ_RUNS" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=512 \
      -print_final_stats=1 -verbosity=0 >"$log" 2>&1; then
      printf '%-12s %10s executions\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
      failed=1
      tail -n 40 "$log" >&2
    fi
  done
  rm -f "$log"
  return "$failed"
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

parts() { sed -n 's/^part_\([a-z]*\)() { # \(.*\)/  PART=\1\t\2/p' tests/full.sh | expand -t 16; }

if ! declare -F "part_$part" >/dev/null; then
  printf '%s\n%s\n' "make test-full runs one part at a time; ${part:-none} is none of them:" "$(parts)" >&2
  exit 2
fi
[ "$do" = known ] || "part_$part"
