package ctype

import "fmt"

// A Record is a struct or union. It is completed by [Model.Layout].
type Record struct {
	Tag      string // "" where there is none
	Union    bool
	Complete bool

	Packed  bool
	Aligned int64 // bytes, by an attribute; 0 if not asked for
	Pack    int64 // bytes, by #pragma pack; 0 for none

	Fields []Field
	Size   int64 // bytes
	Align  int64 // bytes

	userAlign bool
}

// A Field is a member of a struct or union.
type Field struct {
	Name     string // "" where there is none
	Type     *Type
	Packed   bool
	Aligned  int64 // bytes, by an attribute; 0 if not asked for
	BitField bool
	Bits     int64 // the width of a bit-field

	// Offset is in bits, from the beginning of the record in memory order,
	// which is the order of DWARF's DW_AT_data_bit_offset.
	Offset int64
}

// Layout computes where the members of r lie, and completes it.
func (m *Model) Layout(r *Record) error {
	l := layouter{Model: m, r: r, align: max(r.Aligned, 1)}
	r.userAlign = r.Aligned > 0
	for i := range r.Fields {
		f := &r.Fields[i]
		size, ok := f.Type.Size()
		if f.Type.Kind == Array && f.Type.Len < 0 {
			_, ok = f.Type.Elem.Size()
		}
		if elem := f.Type.element(); elem.Kind == Unsupported {
			return fmt.Errorf("the type of %s is %s, which has no layout here: %s", fieldName(f), elem.Name, elem.Why)
		}
		if !ok || f.Type.Kind == Function || f.Type.Kind == Void {
			return fmt.Errorf("the size of %s is not known", fieldName(f))
		}
		if f.BitField {
			integer := f.Type.Integral()
			if integer == nil || f.Bits < 0 || f.Bits > integer.width() {
				return fmt.Errorf("%s is no bit-field of %d bits that its type can hold", fieldName(f), f.Bits)
			}
			l.bitField(f, size*8)
		} else {
			l.field(f, size*8)
		}
		if l.bits < 0 || l.bits > maxSize*8 {
			return fmt.Errorf("the members take more than %d bytes", int64(maxSize))
		}
	}
	r.Align = l.align
	r.Size = roundUp((l.end+7)/8, l.align)
	r.Complete = true
	return nil
}

// element returns what an array is of in the end, or t itself.
func (t *Type) element() *Type {
	for t.Kind == Array {
		t = t.Elem
	}
	return t
}

func fieldName(f *Field) string {
	if f.Name == "" {
		return "a member without a name"
	}
	return "the member " + f.Name
}

// width is how many bits of an integer hold its value.
func (t *Type) width() int64 {
	if t.Kind == Bool {
		return 1
	}
	return t.size * 8
}

// layouter lays members out one after another.
type layouter struct {
	*Model
	r     *Record
	bits  int64 // where the next member of a struct goes
	end   int64 // bits that are taken, at the most
	align int64 // bytes
}

// raise aligns the record to as many bytes at least.
func (l *layouter) raise(align int64, user bool) {
	l.align = max(l.align, align)
	l.r.userAlign = l.r.userAlign || user
}

// place puts a member at the next free bit that is aligned to so many bits.
func (l *layouter) place(f *Field, bits, align int64) {
	if l.r.Union {
		f.Offset = 0
		l.end = max(l.end, bits)
		return
	}
	f.Offset = roundUp(l.bits, align)
	l.bits = f.Offset + bits
	l.end = max(l.end, l.bits)
}

func (l *layouter) packed(f *Field) bool {
	return f.Packed || l.r.Packed && (f.BitField || f.Type.Align() > 1)
}

// field places a member that is no bit-field. Packing undoes what its type
// asks for, not what the member itself does; #pragma pack limits both.
func (l *layouter) field(f *Field, bits int64) {
	align, user := f.Aligned, f.Aligned > 0
	switch own := f.Type.Align(); {
	case l.packed(f):
		align = max(align, 1)
	case own > f.Aligned:
		align, user = l.memberAlign(f.Type, own), f.Type.UserAligned()
	}
	if l.r.Pack > 0 {
		align = min(align, l.r.Pack)
	}
	l.raise(align, user)
	l.place(f, bits, align*8)
}

// bitField places a bit-field: at the next free bit, but for one that would
// lie across more units of its type than its type has, which goes to the next
// unit. Packing of any kind lets it lie across; one without bits ends the unit
// all the same.
func (l *layouter) bitField(f *Field, unit int64) {
	own := l.memberAlign(f.Type, f.Type.Align())
	packed := l.packed(f)
	aligns := f.Name != "" || l.PaddingAligns
	if f.Bits == 0 {
		if aligns {
			l.raise(max(own, f.Aligned), f.Type.UserAligned())
		}
		l.place(f, 0, max(own, f.Aligned)*8)
		return
	}
	wanted := max(f.Aligned, 1)
	if f.Aligned == 0 {
		wanted = 0
	}
	typeAlign := own
	switch {
	case l.r.Pack > 0:
		typeAlign = min(typeAlign, l.r.Pack)
		wanted = min(wanted, l.r.Pack)
	case packed:
		typeAlign = 1
	}
	if aligns {
		l.raise(max(typeAlign, wanted), f.Type.UserAligned() || f.Aligned > 0)
	} else {
		l.raise(max(wanted, 1), f.Aligned > 0)
	}
	at := l.bits
	if l.r.Union {
		at = 0
	}
	if wanted > 0 {
		at = roundUp(at, wanted*8)
	}
	if l.r.Pack == 0 && !packed {
		align := own * 8
		if (at%align+f.Bits+align-1)/align > unit/align {
			at = roundUp(at, align)
		}
	}
	f.Offset = at
	if !l.r.Union {
		l.bits = at + f.Bits
	}
	l.end = max(l.end, at+f.Bits)
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
