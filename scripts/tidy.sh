#!/usr/bin/env bash
# Runs clang-tidy over the folders whose sources it reads quickly: those without gRPC and Asio, and over no tests.
#
#   scripts/tidy.sh [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cmake --preset dev >/dev/null
files=("$@")
if ((${#files[@]} == 0)); then
  mapfile -t files < <(git ls-files --cached --others --exclude-standard \
    'troth/base/*.cc' 'troth/pki/*.cc' 'troth/identity/*.cc' 'troth/authz/*.cc' 'troth/ca/*.cc' \
    'troth/store/*.cc' 'troth/enroll/*.cc' 'troth/nginx/*.cc' 'troth/doctor/*.cc' 'troth/cli/*.cc' |
    grep -v -e '_test\.cc$' -e '_fuzz\.cc$')
fi
echo "clang-tidy: ${#files[@]} files"
# The compile commands are GCC's; clang does not know all of its warnings. What it counts in other people's headers is
# no news.
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option \
    2> >(grep -vE '^[0-9]+ warnings? generated\.$' >&2)
