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

// Render returns the Go source of a model, in a package of the given name, and
// what is to be known of names in it. The same model gives the same bytes
// everywhere. Source that does not compile is an error.
func Render(m *abi.Model, pkg string) ([]byte, []Note, error) {
	sizes := types.SizesFor("gc", m.Arch)
	if sizes == nil {
		return nil, nil, fmt.Errorf("no Go architecture %q", m.Arch)
	}
	n := newNames(m)
	p := &emitter{file: jen.NewFile(pkg), layouter: layouter{names: n, sizes: sizes, bigEndian: m.Arch == "s390x", done: map[string]*goStruct{}}}
	p.file.HeaderComment(fmt.Sprintf("// Code generated from %s for linux/%s; DO NOT EDIT.", m.Header, m.Arch))
	p.constants(m.Constants)
	p.strings(m.Strings)
	p.enums(m.Enums)
	for _, s := range outerFirst(m.Structs) {
		if n.types[s.Name] != "" {
			p.structure(s)
		}
	}
	var b bytes.Buffer
	if err := p.file.Render(&b); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", m.Header, err)
	}
	if err := compiles(b.Bytes(), pkg, sizes); err != nil {
		return nil, nil, fmt.Errorf("%s: the Go for %s does not compile, which is an error of this program: %w", m.Header, m.Arch, err)
	}
	return b.Bytes(), n.notes, nil
}

// outerFirst returns the structs in the order of reading: those with a tag as
// they come, each followed by the ones without that it holds.
func outerFirst(all []abi.Struct) []*abi.Struct {
	inner := map[string][]*abi.Struct{}
	for i := range all {
		if outer, _, nested := strings.Cut(all[i].Name, "."); nested {
			inner[outer] = append(inner[outer], &all[i])
		}
	}
	var sorted []*abi.Struct
	for i := range all {
		if name := all[i].Name; !strings.Contains(name, ".") {
			sorted = append(append(sorted, &all[i]), inner[name]...)
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
			g.Id(p.names.consts[c.Name]).Add(p.enumType(c)).Op("=").Op(c.Value.Hex())
		}
	})
	p.file.Line()
}

// structure prints a struct, the accessors of what are no fields in Go and the
// assertions of its layout.
func (p *emitter) structure(s *abi.Struct) {
	g := p.layOut(s)
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
	for _, b := range g.bits {
		p.bitMethods(g, b)
	}
	for _, t := range g.tails {
		p.tailMethod(g, t)
	}
	p.assertions(g)
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
	if f.size == 0 {
		where = fmt.Sprintf("// offset %d", f.offset)
	}
	if f.note != "" {
		where += ", " + f.note
	}
	b.Id(name).Add(f.typ).Comment(where)
}

// accessors prints a method for each member of a union. The pointers that they
// make are to types no larger than the storage and no more aligned, which is
// what package unsafe asks of its first rule: a member that Go would align
// more is bytes.
func (p *emitter) accessors(g *goStruct, u union) {
	for i, f := range u.c.Fields {
		if f.BitSize > 0 {
			p.bitField(g, f, fmt.Sprintf("(*[%d]byte)(unsafe.Pointer(&s.%s))", max(u.c.Size, 1), u.field), f.Offset*8+f.BitOffset)
			continue
		}
		t := p.arrayOf(f, u.offset)
		cName := f.Name
		if t != nil {
			cName = t.c
		}
		name := exported(cName)
		if name == "" {
			name = fmt.Sprintf("Anon%d", i)
		}
		if g.taken[name] {
			if cName != "" {
				p.names.note(u.c.Name+"."+cName, f.Line, "is %s.%s in Go: %s is another's", g.name, u.field+name, name)
			}
			name = u.field + name
		}
		name = p.unique(g, name, cName, f.Line)
		if t != nil {
			t.name = name
			g.tails = append(g.tails, *t)
			continue
		}
		typ, align := p.goType(f.Type)
		if align > g.alignOf(u.offset) {
			typ = byteArray(f.Size)
		}
		member := quoted(f.Name)
		if f.Name == "" {
			member = fmt.Sprintf("number %d, which has no name", i)
		}
		doc := fmt.Sprintf("%s returns %s as the C union's member %s. %s", name, u.field, member, f.Doc)
		comment(p.file.Group, p.names.docLines(doc))
		p.file.Func().Params(jen.Id("s").Op("*").Id(g.name)).Id(name).Params().Op("*").Add(typ).Block(
			jen.Return(jen.Parens(jen.Op("*").Add(typ)).Call(jen.Qual("unsafe", "Pointer").Call(jen.Op("&").Id("s").Dot(u.field)))),
		)
		p.file.Line()
	}
}

// arrayOf returns what a member of a union is if it is an array of unknown
// length, alone or in a struct that holds nothing else.
func (p *emitter) arrayOf(f abi.Field, offset int64) *tail {
	if f.Size > 0 {
		return nil
	}
	if f.Type.Kind == abi.Array {
		return &tail{c: f.Name, offset: offset + f.Offset, elem: *f.Type.Elem, doc: f.Doc}
	}
	s := p.names.structs[f.Type.Name]
	if s == nil || f.Name != "" {
		return nil
	}
	for _, inner := range s.Fields {
		if t := p.arrayOf(inner, offset+f.Offset); t != nil {
			return t
		}
	}
	return nil
}

// tailMethod prints the method that returns an array of unknown length.
func (p *emitter) tailMethod(g *goStruct, t tail) {
	elem, align := p.goType(t.elem)
	size := t.elem.Size
	if size == 0 {
		p.names.note(g.c.Name+"."+t.c, 0, "has no method in Go: its elements have no size")
		return
	}
	what := "elements"
	if align > g.alignOf(t.offset) {
		elem, what = jen.Byte(), fmt.Sprintf("bytes, %d an element,", size)
	}
	doc := fmt.Sprintf("%s returns the first n %s of the array %s, which begins at offset %d and has no length of its own: the memory that s lies in must hold them. %s",
		t.name, what, quoted(t.c), t.offset, t.doc)
	comment(p.file.Group, p.names.docLines(doc))
	p.file.Func().Params(jen.Id("s").Op("*").Id(g.name)).Id(t.name).Params(jen.Id("n").Int()).Index().Add(elem).Block(
		jen.Return(jen.Qual("unsafe", "Slice").Call(
			jen.Parens(jen.Op("*").Add(elem)).Call(jen.Qual("unsafe", "Add").Call(jen.Qual("unsafe", "Pointer").Call(jen.Id("s")), jen.Lit(int(t.offset)))),
			jen.Id("n"))),
	)
	p.file.Line()
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
