#!/usr/bin/env bash
# Makes the certificate tree in core/certs: `troth certs generate`, which it builds first when it is not built yet.
set -euo pipefail
top="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
[ -x "$top/build/release/troth" ] || make -C "$top" build >&2
exec "$top/build/release/troth" certs generate "$@"
