#!/usr/bin/env bash
# Runs the demonstration of the bridge from the release build. --stay keeps the services up.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export GRPC_VERBOSITY=${GRPC_VERBOSITY:-NONE}
exec "$root/build/release/bridge_demo" "$@"
