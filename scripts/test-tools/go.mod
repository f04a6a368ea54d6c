module troth/scripts/test-tools

go 1.18

require (
	github.com/fullstorydev/grpcurl v1.8.7
	github.com/square/certstrap v1.3.0
	github.com/zmap/zlint/v3 v3.5.0
)
