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

for benchmark in build/release/bench/*_bench; do
  if [[ -x "$benchmark" ]]; then
    echo "== $(basename "$benchmark")"
    "$benchmark" | tee "$out/$(basename "$benchmark").txt"
  fi
done
echo "== calls and handshakes (several minutes)"
python3 -B bench/compare.py "$@"
echo "the same is in $out/results.md, every measurement in $out/results.json"
