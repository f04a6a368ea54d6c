#!/usr/bin/env bash
# Installs the Debian packages that Troth's build, tests or checks need and that are missing. Does nothing, quickly,
# when all are there.
#
#   scripts/install-packages.sh [build|test|check]     each level holds the ones before it; default: check
#   scripts/install-packages.sh --list [LEVEL]         only prints their names
set -euo pipefail

# The one list. "build" is what `make build` and `make run` need, "test" what `make test` adds, "check" what CI adds.
packages() {
  cat <<'LIST'
build  g++
build  make
build  cmake
build  ninja-build
build  ccache
build  pkg-config
build  libgrpc++-dev
build  libprotobuf-dev
build  protobuf-compiler
build  protobuf-compiler-grpc
build  libabsl-dev
build  libssl-dev
build  libtomlplusplus-dev
build  libboost1.81-dev
build  libboost-json1.81-dev
build  libsqlite3-dev
build  libcurl4-openssl-dev
build  prometheus-cpp-dev
build  libcli11-dev
build  libspdlog-dev
build  libbenchmark-dev
build  openssl
test   libgtest-dev
test   libgmock-dev
test   gnutls-bin
test   curl
test   jq
test   nginx
test   python3
test   python3-venv
test   python3-grpcio
test   ca-certificates
test   systemd
check  clang
check  clang-format
check  clang-tidy
check  libclang-rt-14-dev
LIST
}

list_only=0
if [[ "${1:-}" == --list ]]; then
  list_only=1
  shift
fi
level="${1:-check}"
case "$level" in
  build) wanted=$(packages | awk '$1 == "build" { print $2 }') ;;
  test) wanted=$(packages | awk '$1 != "check" { print $2 }') ;;
  check) wanted=$(packages | awk '{ print $2 }') ;;
  *)
    echo "install-packages.sh: expected build, test or check, got \"$level\"" >&2
    exit 64
    ;;
esac
# Of the test tools some are in Go and one is in Rust. Any Go and any Cargo will do; Debian's are installed only where
# there is none.
if [[ "$level" != build ]]; then
  command -v go >/dev/null || wanted+=$'\ngolang-go'
  command -v cargo >/dev/null || wanted+=$'\ncargo'
fi

if ((list_only)); then
  printf '%s\n' "$wanted"
  exit 0
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "install-packages.sh: this is not a Debian system (no apt-get); install what these packages hold by hand:" >&2
  printf '%s\n' "$wanted" | paste -sd' ' >&2
  exit 1
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | awk '$1 == "installed" { print $2 }')
missing=$(grep -vxFf <(printf '%s\n' "$installed") <<<"$wanted" || true)
# Debian's pkgconf is pkg-config as well.
if command -v pkg-config >/dev/null; then
  missing=$(grep -vxF pkg-config <<<"$missing" || true)
fi
if [[ -z "$missing" ]]; then
  exit 0
fi
mapfile -t missing <<<"$missing"

as_root=()
if ((EUID != 0)); then
  if command -v sudo >/dev/null; then
    as_root=(sudo)
  else
    echo "install-packages.sh: missing packages, and neither root nor sudo to install them; run as root:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi

echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
"${as_root[@]}" apt-get -q update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get -q install --yes --no-install-recommends "${missing[@]}"
