package history

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/since"
)

// A growth is the rule of a constant that is not the same for ever: a set of
// bits, which loses none, and gains only bits of other symbols.
type growth struct {
	prefix string // of the symbols that the bits belong to
	number bool   // their values are numbers of bits, not bits
	late   bool   // a bit may come after its symbol; else they come together
}

// growing are the constants that grow by design. Each gains the bits of the
// symbols that a release brings. The one that is late is kept by hand in the
// kernel, and gained operations for hugetlb memory when hugetlb learnt them.
var growing = map[string]*growth{
	"UFFD_API_REGISTER_MODES":     {prefix: "UFFDIO_REGISTER_MODE_"},
	"UFFD_API_FEATURES":           {prefix: "UFFD_FEATURE_"},
	"UFFD_API_IOCTLS":             {prefix: "_UFFDIO_", number: true},
	"UFFD_API_RANGE_IOCTLS":       {prefix: "_UFFDIO_", number: true},
	"UFFD_API_RANGE_IOCTLS_BASIC": {prefix: "_UFFDIO_", number: true, late: true},
}

// grown checks one growing constant in one release against the release before.
func grown(name string, r Release, before []Release, claim *abi.Model, symbols since.Symbols) (compared int, wrong []string) {
	is, ok := value(r.Truth, name)
	if !ok {
		return 0, nil
	}
	g := growing[name]
	if len(before) > 0 {
		last := before[len(before)-1]
		if was, ok := value(last.Truth, name); ok {
			compared++
			if lost := was &^ is; lost != 0 {
				wrong = append(wrong, fmt.Sprintf("%s has lost bits %#x since %v", name, lost, last.Linux))
			}
			for rest := is &^ was; rest != 0; rest &= rest - 1 {
				compared++
				bit := bits.TrailingZeros64(rest)
				came, ok := g.since(bit, claim, symbols)
				switch {
				case !ok:
					wrong = append(wrong, fmt.Sprintf("%s has gained bit %d, which is no symbol's", name, bit))
				case r.Linux.Before(came), !g.late && !last.Linux.Before(came):
					wrong = append(wrong, fmt.Sprintf("%s has gained bit %d after %v, whose symbol is said to be since %v", name, bit, last.Linux, came))
				}
			}
		}
	}
	return compared, wrong
}

// since returns when the symbol of a bit came, as claimed.
func (g *growth) since(bit int, claim *abi.Model, symbols since.Symbols) (since.Release, bool) {
	want := uint64(1) << bit
	if g.number {
		want = uint64(bit)
	}
	for _, c := range claim.Constants {
		if strings.HasPrefix(c.Name, g.prefix) && c.Value.Uint64() == want {
			release, ok := symbols[c.Name]
			return release, ok
		}
	}
	return since.Release{}, false
}

func value(m *abi.Model, name string) (uint64, bool) {
	for _, c := range m.Constants {
		if c.Name == name {
			return c.Value.Uint64(), true
		}
	}
	return 0, false
}
