#!/usr/bin/env bash
# Installs the programs that Troth is tested against and that Debian does not have into build/tools:
#
#   bin/grpcurl, certstrap, zlint    Go; versions and hashes are pinned in scripts/test-tools/go.mod and go.sum, the newest that
#                                    Go 1.19 (Debian 12) builds
#   caramel/bin/pserve ...           Python: the original Caramel server and client, scripts/test-tools/caramel-requirements.txt
#   bin/caramel-client-rs            Rust: caramel-client 1.0.0 with scripts/test-tools/caramel-client/Cargo.lock
#
# Does nothing, quickly, when they are there. Fails where one cannot be had; tests that need it say so and are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/test-tools"
here=$PWD
tools="$here/../../build/tools"
mkdir -p "$tools/bin"

fail() {
  echo "install-test-tools.sh: $1" >&2
  return 1
}

go_tools() {
  # The pins that the programs were built from lie beside them.
  cmp -s go.sum "$tools/bin/.go.sum" && return
  command -v go >/dev/null || fail "no go on the PATH; scripts/install-packages.sh test installs Debian's" || return
  echo "building grpcurl, certstrap, zlint"
  CGO_ENABLED=0 go build -mod=readonly -trimpath -o "$tools/bin/" \
    github.com/fullstorydev/grpcurl/cmd/grpcurl \
    github.com/square/certstrap \
    github.com/zmap/zlint/v3/cmd/zlint ||
    fail "go build failed; downloading the sources needs a network or a Go module proxy (GOPROXY)" || return
  cp go.sum "$tools/bin/.go.sum"
}

caramel_server() {
  local pins="$here/caramel-requirements.txt" venv="$tools/caramel"
  cmp -s "$pins" "$venv/.requirements.txt" && return
  echo "installing the original Caramel server and client"
  rm -rf "$venv"
  python3 -m venv "$venv" || fail "no Python with venv; scripts/install-packages.sh test installs Debian's" || return
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$pins" ||
    fail "pip failed; downloading the packages needs a network or a package index (PIP_INDEX_URL)" || return
  cp "$pins" "$venv/.requirements.txt"
}

# The crate's own Cargo.lock is of 2020: its socket2 does not compile today, and its openssl-sys does not know OpenSSL 3. Ours differs
# from it in what mends that. Cargo takes a lock of one's own only for sources at hand, and has no command that only brings those.
caramel_client() {
  local pins="$here/caramel-client/Cargo.lock" stamp="$tools/bin/.caramel-client.lock" work="$tools/caramel-client"
  cmp -s "$pins" "$stamp" && [[ -x "$tools/bin/caramel-client-rs" ]] && return
  command -v cargo >/dev/null || fail "no cargo on the PATH; scripts/install-packages.sh test installs Debian's" || return
  echo "building the Rust client of Caramel"
  rm -rf "$work"
  mkdir -p "$work/fetch/src"
  printf '[package]\nname = "fetch"\nversion = "0.0.0"\n[dependencies]\ncaramel-client = "=1.0.0"\n[workspace]\n' \
    >"$work/fetch/Cargo.toml"
  touch "$work/fetch/src/lib.rs"
  cp "$pins" "$work/fetch/Cargo.lock"
  local manifest
  manifest=$(cd "$work/fetch" && cargo metadata --quiet --format-version 1 | python3 -c '
import json, sys
print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "caramel-client"))') ||
    fail "cargo failed; downloading the sources needs a network or a registry" || return
  cp -r "$(dirname "$manifest")" "$work/source"
  cp "$pins" "$work/source/Cargo.lock"
  # Debian's OpenSSL rather than one that is built for this.
  OPENSSL_NO_VENDOR=1 CARGO_TARGET_DIR="$work/target" \
    cargo install --quiet --locked --path "$work/source" --root "$work/installed" ||
    fail "cargo install failed" || return
  cp "$work/installed/bin/caramel-client-rs" "$tools/bin/"
  rm -rf "$work"
  cp "$pins" "$stamp"
}

# Each on its own: one that cannot be had does not keep the others away.
result=0
for install in go_tools caramel_server caramel_client; do
  "$install" || result=1
done
exit "$result"
