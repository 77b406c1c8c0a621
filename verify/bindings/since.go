package bindings

import (
	"regexp"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/since"
)

// Symbols returns the releases that the documentation in the file gives, by
// the names that a model of its header has for what is documented. What says
// no release has that of what it is in. A symbol is left out if nothing says
// its release, or if two places say different ones.
func (p *Package) Symbols(m *abi.Model) since.Symbols {
	r := &releases{p: p, structs: map[string]abi.Struct{}, unions: map[string]abi.Struct{}, said: map[string]string{}}
	for _, s := range m.Structs {
		r.structs[s.Name] = s
		if s.Union {
			r.unions[s.Name] = s
		}
	}
	for _, k := range m.Constants {
		r.record(k.Name, r.of(constantName(k.Name), ""))
	}
	for _, s := range m.Structs {
		if !strings.Contains(s.Name, ".") {
			r.structure(s, "")
		}
	}
	symbols := since.Symbols{}
	for name, said := range r.said {
		if release, err := since.Parse(said); err == nil {
			symbols[name] = release
		}
	}
	return symbols
}

type releases struct {
	p               *Package
	structs, unions map[string]abi.Struct
	said            map[string]string // by C name; "conflict" if there are two
}

func (r *releases) record(name, said string) {
	if before, ok := r.said[name]; ok && before != said {
		said = "conflict"
	}
	r.said[name] = said
}

var sinceLinux = regexp.MustCompile(`Since Linux (\d+\.\d+)\.`)

// of returns the release that the documentation of a Go name says, or else
// what it is in.
func (r *releases) of(goName, outer string) string {
	text := strings.Join(strings.Fields(r.p.docs[goName]), " ")
	switch all := sinceLinux.FindAllStringSubmatch(text, -1); len(all) {
	case 0:
		return outer
	case 1:
		return all[0][1]
	}
	return "conflict"
}

func (r *releases) structure(s abi.Struct, outer string) {
	goName := typeName(s.Name, r.unions)
	said := r.of(goName, outer)
	r.record(s.Name, said)
	for _, f := range s.Fields {
		path := s.Name + "." + f.Name
		is := r.of(goName+"."+fieldName(f, r.unions), said)
		r.record(path, is)
		if u, ok := r.unions[path]; ok {
			for _, member := range u.Fields {
				its := is
				if len(u.Fields) > 1 {
					its = r.of(goName+"."+capital(member.Name), is)
				}
				r.member(path+"."+member.Name, its, is)
			}
		} else {
			r.member(path, is, said)
		}
	}
}

// member records a member, and what is in it if it is a struct without a tag.
func (r *releases) member(path, said, outer string) {
	r.record(path, said)
	if inner, ok := r.structs[path]; ok {
		r.structure(inner, outer)
	}
}
