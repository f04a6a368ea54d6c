#!/usr/bin/env bash
# Builds the program `troth` into a folder that is laid out as a root file system, with the list of the Debian packages
# that it needs to run. packaging/Dockerfile calls this; it works in any folder of a Debian 12 system as well.
#
#   packaging/build-client.sh OUT [BUILD]      OUT: where usr/local/bin/troth is put; BUILD: the build tree (OUT.build)
set -euo pipefail

if (($# < 1 || $# > 2)); then
  sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 64
fi
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
build=${2:-$out.build}

"$source_dir/scripts/install-packages.sh" build

cmake -S "$source_dir" -B "$build" -G Ninja \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr/local -DTROTH_HARDEN=ON \
  -DTROTH_WERROR=OFF -DTROTH_BUILD_TESTS=OFF -DTROTH_BUILD_EXAMPLES=OFF -DTROTH_BUILD_BENCH=OFF
cmake --build "$build" --target troth -- -j "${TROTH_BUILD_JOBS:-$(nproc)}"

install -D -m 0755 "$build/troth" "$out/usr/local/bin/troth"
strip "$out/usr/local/bin/troth"

# The packages of the shared libraries. ldd names /lib/..., which on a merged system is /usr/lib/... to dpkg.
package_of() {
  local path
  for path in "$1" "/usr$1" "$(readlink -f "$1")" "${1#/usr}"; do
    if dpkg-query --search "$path" 2>/dev/null | cut -d: -f1 | head -n 1 | grep .; then
      return
    fi
  done
  echo "build-client.sh: no package holds $1" >&2
  return 1
}
packages=$out/usr/local/share/troth/runtime-packages
mkdir -p "$(dirname "$packages")"
libraries=$(ldd "$out/usr/local/bin/troth" | awk '$2 == "=>" { print $3 }')
for library in $libraries; do
  package_of "$library"
done | sort -u >"$packages"

echo "built $out/usr/local/bin/troth, which needs:"
sed 's/^/  /' "$packages"
