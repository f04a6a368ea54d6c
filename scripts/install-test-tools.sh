#!/usr/bin/env bash
# Installs the programs that Troth is tested against and that Debian does not have into build/tools/bin, with the
# versions named here. Does nothing when they are there. The versions are the newest that Go 1.19 (Debian 12) builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools_dir="$PWD/build/tools"
bin_dir="$tools_dir/bin"

# program, package, version
tools() {
  cat <<'LIST'
grpcurl    github.com/fullstorydev/grpcurl/cmd/grpcurl  v1.8.7
certstrap  github.com/square/certstrap                  v1.3.0
zlint      github.com/zmap/zlint/v3/cmd/zlint           v3.5.0
LIST
}

mkdir -p "$bin_dir"
while read -r program package version; do
  stamp="$tools_dir/$program-$version"
  if [[ -x "$bin_dir/$program" && -e "$stamp" ]]; then
    continue
  fi
  if ! command -v go >/dev/null; then
    echo "install-test-tools.sh: no go on the PATH to build $program with; scripts/install-packages.sh test installs it" >&2
    exit 1
  fi
  echo "building $program $version for the tests"
  if ! GOBIN="$bin_dir" GOFLAGS=-trimpath CGO_ENABLED=0 go install "$package@$version"; then
    echo "install-test-tools.sh: could not build $program $version; is there a network, or a Go module proxy in GOPROXY?" >&2
    exit 1
  fi
  touch "$stamp"
done < <(tools)
