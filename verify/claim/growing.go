package claim

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/linux"
)

// A growth is the rule of a constant that is not the same for ever: a set of
// bits, which loses none, and gains only those of other symbols.
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

// grown holds the growing constants against those of another release: of the
// claimed bits an older one has those whose symbols it has, a newer one all.
func (c *Claim) grown(t Truth) (v Verdict) {
	for _, k := range t.Model.Constants {
		i := slices.IndexFunc(c.Model.Constants, func(said abi.Constant) bool { return said.Name == k.Name })
		g := growing[k.Name]
		if g == nil || i < 0 {
			continue
		}
		is, claimed := k.Value.Uint64(), c.Model.Constants[i].Value.Uint64()
		for rest := is | claimed; rest != 0; rest &= rest - 1 {
			v.Compared++
			bit := bits.TrailingZeros64(rest)
			has, should := is>>bit&1 == 1, claimed>>bit&1 == 1
			since, known := g.since(bit, c.Model)
			switch {
			case !should && c.Edition.Before(t.Linux): // of a symbol that is news
			case !should:
				v.wrong("%s has bit %d, which is not claimed", k.Name, bit)
			case !known:
				v.wrong("%s is claimed to have bit %d, which is no symbol's", k.Name, bit)
			case has && t.Linux.Before(since):
				v.wrong("%s has bit %d, whose symbol is said to be since %v", k.Name, bit, since)
			case !has && !t.Linux.Before(since) && !(g.late && t.Linux.Before(c.Edition)):
				v.wrong("%s lacks bit %d, whose symbol is said to be since %v", k.Name, bit, since)
			}
		}
	}
	return v
}

// since returns when the symbol of a bit came, as claimed.
func (g *growth) since(bit int, m *abi.Model) (linux.Release, bool) {
	want := uint64(1) << bit
	if g.number {
		want = uint64(bit)
	}
	for _, c := range m.Constants {
		if strings.HasPrefix(c.Name, g.prefix) && c.Value.Uint64() == want {
			release, err := linux.Parse(c.Since)
			return release, err == nil
		}
	}
	return linux.Release{}, false
}
