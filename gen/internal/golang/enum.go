package golang

import (
	"fmt"
	"strconv"

	"github.com/dave/jennifer/jen"
	"github.com/zuffd/uffd/internal/abi"
)

// enums prints a type for each enum that has a name: the integer that C stores
// it as.
func (p *emitter) enums(all []abi.Enum) {
	for _, e := range all {
		name := p.names.enums[e.Name]
		if name == "" {
			continue
		}
		keyword := "enum "
		if e.Typedef {
			keyword = "type "
		}
		doc := fmt.Sprintf("%s is the C %s%s. %s", name, keyword, quoted(e.Name), e.Doc)
		comment(p.file.Group, p.names.docLines(doc))
		integer := fmt.Sprintf("int%d", e.Size*8)
		if !e.Signed {
			integer = "u" + integer
		}
		p.file.Type().Id(name).Id(integer)
		p.file.Line()
	}
}

// enumType returns the type of a constant that is an enumerator, or nothing.
func (p *emitter) enumType(c abi.Constant) jen.Code {
	if name := p.names.enums[c.Enum]; c.Enum != "" && name != "" {
		return jen.Id(name)
	}
	return jen.Null()
}

// strings prints the macros that stand for strings.
func (p *emitter) strings(all []abi.String) {
	if len(all) == 0 {
		return
	}
	p.file.Const().DefsFunc(func(g *jen.Group) {
		for _, s := range all {
			comment(g, p.names.docLines(s.Doc))
			g.Id(p.names.consts[s.Name]).Op("=").Op(strconv.Quote(s.Value))
		}
	})
	p.file.Line()
}
