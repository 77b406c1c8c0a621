package golang

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"
	"github.com/zuffd/uffd/internal/abi"
)

// A bitField is a bit-field, which Go gets and sets by methods.
type bitField struct {
	c       abi.Field
	get     string // names of the methods
	set     string
	storage string // what has its bytes: "s.Bits0"
	first   int64  // its first bit in the storage, in memory order
}

// bitFields adds one field of bytes for the bit-fields that fields begins
// with, and returns their number.
func (l *layouter) bitFields(g *goStruct, fields []abi.Field, base int64) int {
	start, end, n := int64(-1), int64(0), 0
	text := ""
	for ; n < len(fields) && fields[n].BitSize > 0; n++ {
		f := fields[n]
		from := f.Offset*8 + f.BitOffset
		if start < 0 {
			start = from / 8
		}
		end = max(end, (from+f.BitSize+7)/8)
		text += fmt.Sprintf(" %s:%d", quoted(f.Name), f.BitSize)
	}
	name := l.unique(g, fmt.Sprintf("Bits%d", base+start), "", 0)
	for _, f := range fields[:n] {
		l.bitField(g, f, "s."+name, f.Offset*8+f.BitOffset-start*8)
	}
	g.fields = append(g.fields, goField{
		name: name, typ: byteArray(end - start),
		offset: base + start, size: end - start, align: 1,
		doc: name + " holds the bit-fields" + text + ".",
	})
	return n
}

func (l *layouter) bitField(g *goStruct, f abi.Field, storage string, first int64) {
	get := l.unique(g, exported(f.Name), f.Name, f.Line)
	set := l.unique(g, "Set"+get, "", 0)
	g.bits = append(g.bits, bitField{f, get, set, storage, first})
}

// A part is the piece of a bit-field that lies in one byte.
type part struct {
	index int64 // of the byte
	mask  int64 // its bits in that byte
	low   int64 // the lowest of them
	value int64 // the bit of the value that this is
}

// parts returns the pieces of a bit-field, from the lowest bits of its value.
// Memory order counts from a byte's lowest bit on little-endian architectures,
// and from its highest on big-endian ones.
func (l *layouter) parts(first, size int64) []part {
	var all []part
	for v := int64(0); v < size; v++ {
		at := first + v
		bit := at % 8
		if l.bigEndian {
			at = first + size - 1 - v
			bit = 7 - at%8
		}
		if n := len(all); n > 0 && all[n-1].index == at/8 {
			all[n-1].mask |= 1 << bit
			continue
		}
		all = append(all, part{index: at / 8, mask: 1 << bit, low: bit, value: v})
	}
	return all
}

// bitMethods prints the methods that get and set a bit-field.
func (p *emitter) bitMethods(g *goStruct, b bitField) {
	typ, _ := p.goType(b.c.Type)
	size := b.c.Type.Size * 8
	word := fmt.Sprintf("uint%d", size)
	var terms []string
	var sets []jen.Code
	for _, part := range p.parts(b.first, b.c.BitSize) {
		at := fmt.Sprintf("%s[%d]", b.storage, part.index)
		term := fmt.Sprintf("%s(%s&%#x)", word, at, part.mask)
		value := fmt.Sprintf("%s(v)", word)
		switch shift := part.value - part.low; {
		case shift > 0:
			term += fmt.Sprintf("<<%d", shift)
			value += fmt.Sprintf(">>%d", shift)
		case shift < 0:
			term += fmt.Sprintf(">>%d", -shift)
			value += fmt.Sprintf("<<%d", -shift)
		}
		terms = append(terms, term)
		sets = append(sets, jen.Op(fmt.Sprintf("%s = %s&^%#x | byte(%s)&%#x", at, at, part.mask, value, part.mask)))
	}
	x := strings.Join(terms, " | ")
	result := jen.Add(typ).Parens(jen.Op(x))
	if isSigned(b.c.Type) {
		signed := fmt.Sprintf("int%d", size)
		shift := size - b.c.BitSize
		result = jen.Add(typ).Parens(jen.Op(fmt.Sprintf("%s((%s)<<%d) >> %d", signed, x, shift, shift)))
	}
	doc := fmt.Sprintf("%s returns the bit-field %s, of %d bits. %s", b.get, quoted(b.c.Name), b.c.BitSize, b.c.Doc)
	if b.c.BitSize == 1 {
		doc = fmt.Sprintf("%s returns the bit-field %s, of 1 bit. %s", b.get, quoted(b.c.Name), b.c.Doc)
	}
	comment(p.file.Group, p.names.docLines(doc))
	p.file.Func().Params(jen.Id("s").Op("*").Id(g.name)).Id(b.get).Params().Add(typ).Block(jen.Return(result))
	p.file.Line()
	comment(p.file.Group, p.names.docLines(fmt.Sprintf("%s sets the bit-field %s to the low bits of v.", b.set, quoted(b.c.Name))))
	p.file.Func().Params(jen.Id("s").Op("*").Id(g.name)).Id(b.set).Params(jen.Id("v").Add(typ)).Block(sets...)
	p.file.Line()
}

func isSigned(t abi.Type) bool {
	switch t.Kind {
	case abi.Int8, abi.Int16, abi.Int32, abi.Int64:
		return true
	}
	return false
}
