package cheader

import (
	"github.com/zuffd/uffd/gen/internal/cexpr"
	"github.com/zuffd/uffd/gen/internal/ctype"
)

// Typedef implements [cexpr.Scope].
func (s *scope) Typedef(name string) *ctype.Type { return s.typedefs[name] }

// Tagged implements [cexpr.Scope].
func (s *scope) Tagged(keyword, tag string) *ctype.Type {
	key := keyword + " " + tag
	if t := s.tags[key]; t != nil {
		return t
	}
	t := newTagged(keyword, tag)
	s.tags[key] = t
	return t
}

func newTagged(keyword, tag string) *ctype.Type {
	if keyword == "enum" {
		return &ctype.Type{Kind: ctype.Enum, Enum: &ctype.EnumType{Tag: tag}}
	}
	return &ctype.Type{Kind: ctype.Aggregate, Record: &ctype.Record{Tag: tag, Union: keyword == "union"}}
}

// Enumerator implements [cexpr.Scope].
func (s *scope) Enumerator(name string) (cexpr.Value, bool) {
	v, ok := s.enumerators[name]
	return v, ok
}

// Variable implements [cexpr.Scope].
func (s *scope) Variable(name string) *ctype.Type { return s.variables[name] }
