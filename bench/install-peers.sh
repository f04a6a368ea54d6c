#!/usr/bin/env bash
# Builds the authorities that bench/issue.py measures beside Troth into build/bench/tools: step-ca and cfssl, with the Go on the PATH.
# (The third, Caramel's original server, scripts/install-test-tools.sh installs.) Does nothing, quickly, when they are there. Fails where
# one cannot be had; what is missing is left out of the measurement, by name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=$PWD/build/bench/tools
mkdir -p "$tools"

# install PROGRAM MODULE@VERSION CGO
install_with_go() {
  [[ -x "$tools/$1" && -e "$tools/.${2//\//_}" ]] && return
  command -v go >/dev/null || {
    echo "install-peers.sh: no go on the PATH: no $1" >&2
    return 1
  }
  echo "building $1"
  CGO_ENABLED=$3 GOBIN=$tools go install "$2" || {
    echo "install-peers.sh: go install $2 failed; it needs a newer Go, or a network or a Go module proxy (GOPROXY)" >&2
    return 1
  }
  touch "$tools/.${2//\//_}"
}

# Each on its own: one that cannot be had does not keep the other away. cfssl's SQLite is C.
result=0
install_with_go step-ca github.com/smallstep/certificates/cmd/step-ca@v0.30.2 0 || result=1
install_with_go cfssl github.com/cloudflare/cfssl/cmd/cfssl@v1.6.5 1 || result=1
exit "$result"
