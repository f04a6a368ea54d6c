//go:build tools

// Package tools names the programs that Troth is tested against. go.mod and go.sum pin them, and what they are made
// of, by version and hash; scripts/install-test-tools.sh builds them.
package tools

import (
	_ "github.com/fullstorydev/grpcurl/cmd/grpcurl"
	_ "github.com/square/certstrap"
	_ "github.com/zmap/zlint/v3/cmd/zlint"
)
