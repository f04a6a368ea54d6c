#!/usr/bin/env bash
# Runs every benchmark of the release build and leaves what they print in build/bench. `make bench` builds first.
#
#   bench/run.sh [FLAGS OF bench/compare.py]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=build/bench
mkdir -p "$out"

if ! command -v python3 >/dev/null; then
  scripts/install-packages.sh test
fi
if command -v go >/dev/null; then
  tests/interop/go-sping/build.sh || echo "go-sping cannot be built: no comparison with gRPC-Go" >&2
else
  echo "no go on the PATH: no comparison with gRPC-Go" >&2
fi

echo "== decisions of the guard"
build/release/bench/guard_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true \
  --benchmark_out="$out/guard.json" --benchmark_out_format=json
echo "== calls and handshakes (several minutes)"
python3 -B bench/compare.py --decisions "$out/guard.json" "$@"
echo "The same is in $out/results.md, every measurement in $out/results.json."
