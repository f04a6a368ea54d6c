#!/usr/bin/env bash
# Builds the programs that Troth is tested against and that Debian does not have into build/tools/bin. Versions and
# hashes are pinned in scripts/test-tools/go.mod and go.sum; they are the newest that Go 1.19 (Debian 12) builds.
# Does nothing when the programs are there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/test-tools"

bin_dir="../../build/tools/bin"
packages=(
  github.com/fullstorydev/grpcurl/cmd/grpcurl
  github.com/square/certstrap
  github.com/zmap/zlint/v3/cmd/zlint
)

# The pins that the programs were built from lie beside them.
if cmp -s go.sum "$bin_dir/.go.sum"; then
  exit 0
fi
if ! command -v go >/dev/null; then
  echo "install-test-tools.sh: no go on the PATH; scripts/install-packages.sh test installs Debian's" >&2
  exit 1
fi

mkdir -p "$bin_dir"
echo "building the test tools (grpcurl, certstrap, zlint)"
if ! CGO_ENABLED=0 go build -mod=readonly -trimpath -o "$bin_dir/" "${packages[@]}"; then
  echo "install-test-tools.sh: go build failed; downloading the sources needs a network or a Go module proxy (GOPROXY)" >&2
  exit 1
fi
cp go.sum "$bin_dir/.go.sum"
