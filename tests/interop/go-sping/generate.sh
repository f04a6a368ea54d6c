#!/usr/bin/env bash
# Generates echo/*.pb.go anew after proto/echo/echo.proto changed. The result is committed, so that a build needs Go alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
GOBIN=$plugins go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.33.0
GOBIN=$plugins go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.3.0

package=troth/tests/interop/go-sping
PATH=$plugins:$PATH protoc -I../../../proto \
  --go_out=. --go_opt=module=$package --go_opt=Mecho/echo.proto=$package/echo \
  --go-grpc_out=. --go-grpc_opt=module=$package --go-grpc_opt=Mecho/echo.proto=$package/echo \
  echo/echo.proto
