// Package golang is the generator's Go side: it prints an [abi.Model] as Go
// source.
package golang

import (
	"bytes"
	"fmt"
	"go/types"
	"strings"

	"github.com/dave/jennifer/jen"
	"github.com/zuffd/uffd/internal/abi"
)

// Render returns the Go source of a model, in a package of the given name. The
// same model gives the same bytes everywhere.
func Render(m *abi.Model, pkg string) ([]byte, error) {
	sizes := types.SizesFor("gc", m.Arch)
	if sizes == nil {
		return nil, fmt.Errorf("no Go architecture %q", m.Arch)
	}
	n, err := newNames(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Header, err)
	}
	p := &emitter{file: jen.NewFile(pkg), layouter: layouter{names: n, sizes: sizes}}
	p.file.HeaderComment(fmt.Sprintf("// Code generated from %s for linux/%s; DO NOT EDIT.", m.Header, m.Arch))
	p.constants(m.Constants)
	for _, s := range outerFirst(m.Structs) {
		if n.types[s.Name] == "" {
			continue
		}
		if err := p.structure(s); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Header, err)
		}
	}
	var b bytes.Buffer
	if err := p.file.Render(&b); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Header, err)
	}
	return b.Bytes(), nil
}

// outerFirst returns the structs in the order of reading: those with a tag as
// they come, each followed by the ones without that it holds.
func outerFirst(all []abi.Struct) []*abi.Struct {
	var sorted []*abi.Struct
	for i := range all {
		if strings.Contains(all[i].Name, ".") {
			continue
		}
		sorted = append(sorted, &all[i])
		for j := range all {
			if strings.HasPrefix(all[j].Name, all[i].Name+".") {
				sorted = append(sorted, &all[j])
			}
		}
	}
	return sorted
}

// An emitter puts declarations into a file.
type emitter struct {
	layouter
	file *jen.File
}

// comment prints lines of documentation.
func comment(g *jen.Group, lines []string) {
	for _, l := range lines {
		if l == "" {
			g.Comment("//")
		} else {
			g.Comment("// " + l)
		}
	}
}

// constants prints a block for each run of constants under one heading.
func (p *emitter) constants(all []abi.Constant) {
	for len(all) > 0 {
		run := 1
		for run < len(all) && all[run].Group == all[0].Group {
			run++
		}
		p.block(all[0].Group, all[:run])
		all = all[run:]
	}
}

func (p *emitter) block(heading string, all []abi.Constant) {
	comment(p.file.Group, p.names.docLines(heading))
	p.file.Const().DefsFunc(func(g *jen.Group) {
		for i, c := range all {
			doc := p.names.docLines(c.Doc)
			if i > 0 && doc != nil {
				g.Line()
			}
			comment(g, doc)
			g.Id(p.names.consts[c.Name]).Op("=").Op(c.Value.Hex())
		}
	})
	p.file.Line()
}

// structure prints a struct, the accessors of its unions and the assertions
// of its layout.
func (p *emitter) structure(s *abi.Struct) error {
	g, err := p.layOut(s)
	if err != nil {
		return err
	}
	p.names.scope = s
	defer func() { p.names.scope = nil }()
	doc := s.Doc
	if s.Name != cName.FindString(doc) {
		doc = introduction(s, g.name) + doc
	}
	if goAlign := g.align(); goAlign < s.Align {
		doc += fmt.Sprintf(" C aligns it to %d bytes, Go to %d.", s.Align, goAlign)
	}
	comment(p.file.Group, p.names.docLines(doc))
	p.file.Type().Id(g.name).StructFunc(func(b *jen.Group) {
		b.Id("_").Qual("structs", "HostLayout")
		for _, f := range g.fields {
			p.field(b, f)
		}
	})
	p.file.Line()
	for _, u := range g.unions {
		p.accessors(g, u)
	}
	p.assertions(g)
	return nil
}

// introduction is the first sentence about a struct whose documentation does
// not begin with its name.
func introduction(s *abi.Struct, goName string) string {
	keyword := "struct"
	if s.Union {
		keyword = "union"
	}
	if outer, member, nested := strings.Cut(s.Name, "."); nested {
		return goName + " is the member " + member + " of the C struct " + quoted(outer) + ". "
	}
	return goName + " is the C " + keyword + " " + quoted(s.Name) + ". "
}

func (p *emitter) field(b *jen.Group, f goField) {
	if doc := p.names.docLines(f.doc); doc != nil {
		b.Line()
		comment(b, doc)
	}
	name := f.name
	if name == "" {
		name = "_"
	}
	where := fmt.Sprintf("// offset %d, %d bytes", f.offset, f.size)
	if f.size == 1 {
		where = fmt.Sprintf("// offset %d, 1 byte", f.offset)
	}
	if f.note != "" {
		where += ", " + f.note
	}
	b.Id(name).Add(f.typ).Comment(where)
}

// accessors prints a method for each member of a union. The pointers that they
// make are to types no larger than the storage and no more aligned, which is
// what package unsafe asks of its first rule.
func (p *emitter) accessors(g *goStruct, u union) {
	for i, f := range u.c.Fields {
		typ, _, err := p.goType(f.Type)
		if err != nil {
			continue // a member that Go cannot express has no accessor
		}
		name := exported(f.Name)
		if name == "" {
			name = fmt.Sprintf("Anon%d", i)
		}
		if g.has(name) {
			name = u.field + name
		}
		doc := fmt.Sprintf("%s returns %s as the C union's member %s. %s", name, u.field, quoted(f.Name), f.Doc)
		comment(p.file.Group, p.names.docLines(doc))
		p.file.Func().Params(jen.Id("s").Op("*").Id(g.name)).Id(name).Params().Op("*").Add(typ).Block(
			jen.Return(jen.Parens(jen.Op("*").Add(typ)).Call(jen.Qual("unsafe", "Pointer").Call(jen.Op("&").Id("s").Dot(u.field)))),
		)
		p.file.Line()
	}
}

func (g *goStruct) has(name string) bool {
	for _, f := range g.fields {
		if f.name == name {
			return true
		}
	}
	return false
}

// assertions prints a function that does not compile where a size, an offset
// or a type is not the model's: an array converts to none of another length,
// and a pointer to none of another type. Its parameter has the name of the
// struct, so that the compiler's message has it, too.
func (p *emitter) assertions(g *goStruct) {
	equal := func(want int64, function string, of jen.Code) jen.Code {
		none := jen.Struct().Values()
		return jen.Index(jen.Lit(int(want))).Struct().Parens(jen.Index(jen.Qual("unsafe", function).Call(of)).Add(none))
	}
	p.file.Func().Id("_").Params(jen.Id(g.name).Id(g.name)).BlockFunc(func(b *jen.Group) {
		b.Id("_").Op("=").Add(equal(g.c.Size, "Sizeof", jen.Id(g.name)))
		for _, f := range g.fields {
			if f.name == "" {
				continue
			}
			field := jen.Id(g.name).Dot(f.name)
			b.List(jen.Id("_"), jen.Id("_")).Op("=").List(
				equal(f.offset, "Offsetof", field),
				jen.Parens(jen.Op("*").Add(f.typ)).Call(jen.Op("&").Add(field)),
			)
		}
	})
	p.file.Line()
}
