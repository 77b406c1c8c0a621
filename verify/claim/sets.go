package claim

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// A set is a constant that grows by design: it loses no bits, and gains only
// those of the symbols that a release brings.
type set struct {
	prefix string            // of the symbols that the bits belong to
	number bool              // their values are numbers of bits, not bits
	late   map[string]string // the releases that brought bits later than their symbols
}

// sets are all of them.
var sets = map[string]set{
	"UFFD_API_REGISTER_MODES": {prefix: "UFFDIO_REGISTER_MODE_"},
	"UFFD_API_FEATURES":       {prefix: "UFFD_FEATURE_"},
	"UFFD_API_IOCTLS":         {prefix: "_UFFDIO_", number: true},
	"UFFD_API_RANGE_IOCTLS":   {prefix: "_UFFDIO_", number: true},
	// What hugetlb memory can, which has learnt to be write-protected later.
	"UFFD_API_RANGE_IOCTLS_BASIC": {prefix: "_UFFDIO_", number: true, late: map[string]string{"_UFFDIO_WRITEPROTECT": "5.19"}},
}

// takeApart replaces the value of each set that is both claimed and true by
// its bits, a fact each.
func (c *Claim) takeApart(claimed, truth map[string]Fact) {
	for name, s := range sets {
		what := "value of " + name
		if claimed[what].Is == "" || truth[what].Is == "" {
			continue
		}
		for _, facts := range []map[string]Fact{claimed, truth} {
			value, _ := strconv.ParseUint(facts[what].Is, 0, 64)
			facts[what] = Fact{"a set", facts[what].Since}
			for bit := range 64 {
				if value>>bit&1 == 1 {
					facts[fmt.Sprintf("value of bit %d of %s", bit, name)] = Fact{"0x1", s.since(bit, c.Model)}
				}
			}
		}
	}
}

// since returns the release that brought a bit, or "" if it is no symbol's.
func (s set) since(bit int, m *abi.Model) string {
	for _, k := range m.Constants {
		v := k.Value.Uint64()
		if s.number {
			v = 1 << v
		}
		if strings.HasPrefix(k.Name, s.prefix) && v == 1<<bit {
			return cmp.Or(s.late[k.Name], k.Since)
		}
	}
	return ""
}
