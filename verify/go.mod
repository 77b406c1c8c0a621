module github.com/zuffd/uffd/verify

go 1.26.0

require (
	github.com/cilium/ebpf v0.22.0
	github.com/google/renameio/v2 v2.0.2
	github.com/klauspost/compress v1.20.3
	github.com/pierrec/lz4/v4 v4.1.33
	github.com/rogpeppe/go-internal v1.16.0
	github.com/u-root/mkuimage v0.0.0-20250701161901-6a9871f2e64f
	github.com/zuffd/uffd v0.0.0
	golang.org/x/sync v0.23.0
	golang.org/x/sys v0.49.0
	pault.ag/go/debian v0.19.0
)

// Nobody installs this module by version: it stands beside the one that it
// verifies.
replace github.com/zuffd/uffd => ../

tool honnef.co/go/tools/cmd/staticcheck

require (
	github.com/BurntSushi/toml v1.6.0 // indirect
	github.com/u-root/uio v0.0.0-20240209044354-b3d14b93376a // indirect
	golang.org/x/crypto v0.40.0 // indirect
	golang.org/x/exp/typeparams v0.0.0-20260209203927-2842357ff358 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	honnef.co/go/tools v0.8.2 // indirect
	pault.ag/go/topsort v0.1.1 // indirect
)
