#!/usr/bin/env bash
# Builds the fuzzers and runs each for a number of seconds, from the seeds in fuzz/corpus/<fuzzer>/. What a run finds
# that is new stays under build/fuzz/corpus/; an input that breaks a fuzzer is written to build/fuzz/findings/.
#
#   scripts/fuzz.sh [SECONDS] [FUZZER...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-10}
shift || true

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz

fuzzers=("$@")
if ((${#fuzzers[@]} == 0)); then
  mapfile -t fuzzers < <(find build/fuzz/fuzz -maxdepth 1 -type f -name '*_fuzz' -printf '%f\n' | sort)
fi
if ((${#fuzzers[@]} == 0)); then
  echo "fuzz.sh: there is no fuzzer; expected files named *_fuzz.cc in fuzz/ or troth/*/" >&2
  exit 1
fi

export UBSAN_OPTIONS=print_stacktrace=1
run_one() {
  local fuzzer=$1 seconds=$2
  local found="build/fuzz/corpus/$fuzzer" findings="build/fuzz/findings/$fuzzer" log="build/fuzz/$fuzzer.log"
  mkdir -p "$found" "$findings"
  local corpora=("$found")
  if [[ -d "fuzz/corpus/$fuzzer" ]]; then
    corpora+=("fuzz/corpus/$fuzzer")
  fi
  if "build/fuzz/fuzz/$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$findings/" -print_final_stats=1 "${corpora[@]}" >"$log" 2>&1; then
    printf '%-26s %s\n' "$fuzzer" "$(awk '/number_of_executed_units|new_units_added/ { printf "%s %s  ", $1, $2 }' "$log")"
  else
    printf -- '--- %s FAILED\n%s\n' "$fuzzer" "$(tail -n 60 "$log")"
    return 1
  fi
}
export -f run_one
echo "${#fuzzers[@]} fuzzers, $seconds s each"
if ! printf '%s\0' "${fuzzers[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c 'run_one "$@"' run_one {} "$seconds"; then
  echo "fuzz.sh: some of these fuzzers found something, see build/fuzz/findings/" >&2
  exit 1
fi
