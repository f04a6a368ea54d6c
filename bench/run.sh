#!/usr/bin/env bash
# Runs every benchmark of the release build and leaves what they print in build/bench. `make bench` builds first.
#
#   bench/run.sh [--quick] [--into FILE]
#
# --quick: a glance at each; --into: the document whose marked parts are replaced by the results. bench/compare.py and bench/issue.py, which
# measure calls and issuing, have more flags and can be run by themselves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=build/bench
mkdir -p "$out"

quick=0
into=()
while (($#)); do
  case "$1" in
    --quick) quick=1 ;;
    --into) into=(--into "$2") && shift ;;
    *) echo "run.sh: expected --quick or --into FILE, got $1" >&2 && exit 64 ;;
  esac
  shift
done
calls=() issuing=()
if ((quick)); then
  calls=(--rounds 2 --in-flight 1 --side-by-side 1 --modes mutual)
  issuing=(--quick)
fi

if ! command -v python3 >/dev/null; then
  scripts/install-packages.sh test
fi
if command -v go >/dev/null; then
  tests/interop/go-sping/build.sh || echo "go-sping cannot be built: no comparison with gRPC-Go" >&2
else
  echo "no go on the PATH: no comparison with gRPC-Go" >&2
fi
scripts/install-test-tools.sh || echo "no comparison with Caramel's server, unless it is there" >&2
bench/install-peers.sh || echo "no comparison with what could not be built" >&2

echo "== decisions of the guard"
build/release/bench/guard_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true \
  --benchmark_out="$out/guard.json" --benchmark_out_format=json
echo "== calls and handshakes (several minutes)"
python3 -B bench/compare.py --decisions "$out/guard.json" "${calls[@]}" "${into[@]}"
echo "== issuing (several minutes; the first time, a store of 5 M certificates is made, 5 GB in $out)"
python3 -B bench/issue.py "${issuing[@]}" "${into[@]}"
echo "The same is in $out/results.md and $out/issue.md, every measurement in the .json beside them."
