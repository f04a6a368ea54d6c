#!/usr/bin/env bash
# Builds build/tools/bin/go-sping (Go 1.19 or newer; the modules' hashes are in go.sum). Quick when it is up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
CGO_ENABLED=0 go build -mod=readonly -trimpath -o ../../../build/tools/bin/go-sping .
