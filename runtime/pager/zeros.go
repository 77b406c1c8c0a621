package pager

import "sync"

// zeroPages returns up to n pages of zeros, at least one.
func zeroPages(n, pageSize int) []byte {
	if z := smallZeros[:]; pageSize <= len(z) {
		return z[:min(n*pageSize, len(z)/pageSize*pageSize)]
	}
	v, ok := hugeZeros.Load(pageSize)
	if !ok {
		v, _ = hugeZeros.LoadOrStore(pageSize, make([]byte, pageSize))
	}
	return v.([]byte)
}

var (
	smallZeros [64 << 10]byte
	hugeZeros  sync.Map // by page size
)
