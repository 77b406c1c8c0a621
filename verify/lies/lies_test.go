// Package lies shows that the oracles can tell: it plants lies in an honest
// model and asks each oracle for its word. An oracle that would not notice a
// lie proves nothing by its silence.
package lies

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
)

// claims are what lies are planted in.
type claims struct{ model *abi.Model }

func (c *claims) constant(t *testing.T, name string) *abi.Constant {
	t.Helper()
	i := slices.IndexFunc(c.model.Constants, func(c abi.Constant) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no %s to lie about", name)
	}
	return &c.model.Constants[i]
}

func (c *claims) structure(t *testing.T, name string) *abi.Struct {
	t.Helper()
	i := slices.IndexFunc(c.model.Structs, func(s abi.Struct) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no struct %s to lie about", name)
	}
	return &c.model.Structs[i]
}

func (c *claims) field(t *testing.T, tag, name string) *abi.Field {
	t.Helper()
	s := c.structure(t, tag)
	i := slices.IndexFunc(s.Fields, func(f abi.Field) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("there is no %s.%s to lie about", tag, name)
	}
	return &s.Fields[i]
}

func (c *claims) ioctl(t *testing.T, name string) *abi.Ioctl {
	t.Helper()
	i := slices.IndexFunc(c.model.Ioctls, func(i abi.Ioctl) bool { return i.Name == name })
	if i < 0 {
		t.Fatalf("there is no ioctl %s to lie about", name)
	}
	return &c.model.Ioctls[i]
}

// A window is the running kernels that know better: from a release on, until
// before another, on an architecture; empty for all.
type window struct {
	from, before abi.Release
	arch         string
}

func (w window) has(running abi.Release) bool {
	return !running.Before(w.from) && (w.before == abi.Release{} || running.Before(w.before)) &&
		(w.arch == "" || w.arch == runtime.GOARCH)
}

// What the lies need of the running kernel.
var (
	v6_1, v7_3 = abi.Release{Major: 6, Minor: 1}, abi.Release{Major: 7, Minor: 3}
	always     = window{}
	hasPoison  = window{from: abi.Release{Major: 6, Minor: 6}}
	hasMinor   = window{from: abi.Release{Major: 5, Minor: 13}}
	hasAsync   = window{from: abi.Release{Major: 6, Minor: 7}}
	isOlder    = window{from: v6_1, before: v7_3}
	onAMD64    = window{from: v6_1, before: v7_3, arch: "amd64"} // elsewhere kernels lack features that their release has
)

// lies are the lies, and the oracles that know better. Others cannot know:
// constants are not in BTF, and no header but a later or an earlier one knows
// when a symbol came. BTF and live know what the running kernel has.
var lies = []struct {
	name    string
	plant   func(t *testing.T, c *claims)
	caught  string // by which oracles
	running window // of BTF and live
}{
	{"a wrong offset", func(t *testing.T, c *claims) {
		c.field(t, "uffdio_poison", "updated").Offset = 16
	}, "compiler headers BTF history live", hasPoison},
	{"a wrong offset inside a union", func(t *testing.T, c *claims) {
		c.field(t, "uffd_msg.arg.pagefault", "address").Offset = 0
	}, "compiler headers BTF history live", always},
	{"a wrong size of a field", func(t *testing.T, c *claims) {
		f := c.field(t, "uffdio_copy", "copy")
		f.Size, f.Kind = 4, "int32"
	}, "compiler headers BTF history live", always},
	{"a wrong size of a struct", func(t *testing.T, c *claims) {
		c.structure(t, "uffdio_copy").Size = 48
	}, "compiler headers BTF history live", always},
	{"a wrong alignment", func(t *testing.T, c *claims) {
		c.structure(t, "uffd_msg").Align = 8 // as if it were not packed
	}, "compiler headers history", always},
	{"a wrong signedness", func(t *testing.T, c *claims) {
		c.field(t, "uffdio_poison", "updated").Kind = "uint64"
	}, "compiler headers BTF history live", hasPoison},
	{"a wrong bit", func(t *testing.T, c *claims) {
		c.constant(t, "UFFD_EVENT_PAGEFAULT").Value = abi.Unsigned(0x13)
	}, "compiler headers history live", always},
	{"a wrong ioctl", func(t *testing.T, c *claims) {
		c.constant(t, "UFFDIO_POISON").Value = abi.Unsigned(0xc020aa09)
	}, "compiler headers history live", hasPoison},
	{"a wrong direction of an ioctl", func(t *testing.T, c *claims) {
		c.ioctl(t, "UFFDIO_POISON").Dir = "w"
	}, "compiler headers history", always},
	{"a wrong size in an ioctl", func(t *testing.T, c *claims) {
		c.ioctl(t, "UFFDIO_POISON").Size = 24
	}, "compiler headers history", always},
	{"an ioctl of another struct of the same size", func(t *testing.T, c *claims) {
		c.ioctl(t, "UFFDIO_POISON").Struct = "uffdio_continue"
	}, "compiler headers history", always},
	{"an ioctl that is listed as none", func(t *testing.T, c *claims) {
		c.model.Ioctls = slices.DeleteFunc(c.model.Ioctls, func(i abi.Ioctl) bool { return i.Name == "UFFDIO_POISON" })
	}, "compiler headers history", always},
	{"a set that lacks a bit", func(t *testing.T, c *claims) {
		v := c.constant(t, "UFFD_API_FEATURES")
		v.Value = abi.Unsigned(v.Value.Uint64() &^ 1)
	}, "compiler headers history", always},
	{"a constant that is missing", func(t *testing.T, c *claims) {
		c.model.Constants = slices.DeleteFunc(c.model.Constants, func(c abi.Constant) bool { return c.Name == "UFFDIO_COPY_MODE_WP" })
	}, "compiler headers history", always},
	{"a struct that is missing", func(t *testing.T, c *claims) {
		c.model.Structs = slices.DeleteFunc(c.model.Structs, func(s abi.Struct) bool { return s.Name == "uffdio_move" })
	}, "compiler headers history", always},
	{"a field that is missing", func(t *testing.T, c *claims) {
		s := c.structure(t, "uffdio_continue")
		s.Fields = s.Fields[:len(s.Fields)-1]
	}, "compiler headers BTF history", hasMinor},
	{"a constant that no header has", func(t *testing.T, c *claims) {
		c.model.Constants = append(c.model.Constants, abi.Constant{Name: "UFFDIO_TELEPORT", Value: abi.Unsigned(1), Since: "6.1"})
	}, "compiler headers history", always},
	{"a field that no header has", func(t *testing.T, c *claims) {
		s := c.structure(t, "uffdio_poison")
		s.Fields = append(s.Fields, abi.Field{Name: "extra", Offset: 32, Size: 8, Kind: "uint64", Since: s.Since})
	}, "compiler headers BTF history", hasPoison},
	{"a feature that is said to be younger than it is", func(t *testing.T, c *claims) {
		c.constant(t, "UFFD_FEATURE_WP_ASYNC").Since = "99.0"
	}, "compiler headers history live", hasAsync},
	{"a feature that is said to be older than it is", func(t *testing.T, c *claims) {
		c.constant(t, "UFFD_FEATURE_RWP").Since = "6.1"
	}, "history live", onAMD64},
	{"a struct that is said to be younger than it is", func(t *testing.T, c *claims) {
		c.structure(t, "uffdio_poison").Since = "99.0"
	}, "compiler headers BTF history", hasPoison},
	{"a struct that is said to be older than it is", func(t *testing.T, c *claims) {
		c.structure(t, "uffdio_set_mode").Since = "6.1"
	}, "BTF history", isOlder},
}

func TestLies(t *testing.T) {
	asked := oracles(t)
	if !t.Run("the truth is contradicted by nobody", func(t *testing.T) {
		for _, o := range asked {
			wrong, err := o.contradicts(honest(t))
			if err != nil {
				t.Errorf("%s: %v", o.name, err)
			}
			for _, line := range wrong {
				t.Errorf("%s: %s", o.name, line)
			}
		}
	}) {
		return // what is said of lies would mean nothing
	}
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			know := strings.Fields(lie.caught)
			if len(know) < 2 {
				t.Fatalf("only %v know better; two must", know)
			}
			cannot := func(name string) bool { // on this kernel
				return (name == "BTF" || name == "live") && !lie.running.has(running(t))
			}
			noticed := 0
			for _, o := range asked {
				c := honest(t)
				lie.plant(t, &claims{c.Model})
				wrong, err := o.contradicts(c)
				if err != nil {
					t.Errorf("%s: %v", o.name, err)
				}
				if cannot(o.name) {
					continue // it may notice, or not
				}
				if knows := slices.Contains(know, o.name); knows && len(wrong) == 0 {
					t.Errorf("%s does not notice", o.name)
				} else if !knows && len(wrong) > 0 {
					t.Errorf("%s notices, and is not listed as knowing: %v", o.name, wrong)
				} else if knows {
					noticed++
				}
			}
			switch here := slices.DeleteFunc(know, cannot); {
			case noticed >= 2:
			case len(here) < 2:
				t.Skipf("of %s, only %v can know on this kernel", lie.caught, here)
			default:
				t.Skipf("of %v, who know better, only %d are asked here", here, noticed)
			}
		})
	}
}
