#!/usr/bin/env bash
# One step of the installation test; tests/install/CMakeLists.txt calls it.
set -euo pipefail

step=$1
shift
case "$step" in
  tree)
    cmake=$1 build_dir=$2 prefix=$3
    rm -rf "$prefix"
    "$cmake" --install "$build_dir" --prefix "$prefix" >/dev/null
    # What users must find, and what they must not.
    test -x "$prefix/bin/troth"
    find "$prefix" -name trothConfig.cmake | grep -q .
    find "$prefix" -name troth.pc | grep -q .
    test -f "$prefix/include/troth/pki/certificate.h"
    if find "$prefix" \( -name '*_test*' -o -name 'CMakeLists.txt' -o -name '*.cc' \) | grep .; then
      echo "the files above are for development and must not be installed" >&2
      exit 1
    fi
    ;;
  find_package)
    cmake=$1 cxx=$2 prefix=$3 consumer=$4 work=$5
    rm -rf "$work"
    "$cmake" -S "$consumer" -B "$work" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
    "$cmake" --build "$work"
    "$work/consumer"
    ;;
  pkg_config)
    cxx=$1 pkg_config_path=$2 consumer=$3 work=$4
    rm -rf "$work"
    mkdir -p "$work"
    export PKG_CONFIG_PATH="$pkg_config_path"
    # shellcheck disable=SC2046  # the flags are a list
    "$cxx" -std=c++20 -O1 -Wall -Werror "$consumer/main.cc" -o "$work/consumer" $(pkg-config --cflags --libs troth)
    "$work/consumer"
    ;;
  *)
    echo "install_test.sh: unknown step \"$step\"" >&2
    exit 64
    ;;
esac
