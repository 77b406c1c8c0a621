package cexpr_test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/zuffd/uffd/gen/internal/cexpr"
	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
)

// judges are compilers, and what this package needs to know of their
// architectures: one of 64 bits, one of 32, and one that is big-endian and
// whose char is unsigned.
var judges = []struct {
	compiler string
	model    ctype.Model
}{
	{"x86_64-linux-gnu-gcc", ctype.Model{Long: 8, Pointer: 8, LongDouble: 16, LongDoubleAlign: 16, Int128: 16, MaxAlign: 16}},
	{"i686-linux-gnu-gcc", ctype.Model{Long: 4, Pointer: 4, LongDouble: 12, LongDoubleAlign: 4, MaxAlign: 16, MemberAlign: 4}},
	{"s390x-linux-gnu-gcc", ctype.Model{Long: 8, Pointer: 8, LongDouble: 16, LongDoubleAlign: 8, Int128: 8, MaxAlign: 8, CharUnsigned: true, BigEndian: true}},
}

// prelude declares in C what names declares here.
const prelude = `
typedef unsigned char u8;
struct s { char a; long long b; struct { int c[4]; } d; int f : 3; };
enum e { RED, GREEN = 7, FAR = 0x80000000 };
extern struct s object;
int function(int);
`

// names is the scope of prelude.
type names struct {
	types  *ctype.Types
	record *ctype.Type
	enum   *ctype.Type
}

func scope(t *testing.T, types *ctype.Types) *names {
	t.Helper()
	inner := &ctype.Record{Fields: []ctype.Field{{Name: "c", Type: ctype.ArrayOf(types.Int, 4)}}}
	s := &ctype.Record{Tag: "s"}
	for _, r := range []*ctype.Record{inner, s} {
		if r == s {
			r.Fields = []ctype.Field{
				{Name: "a", Type: types.Char}, {Name: "b", Type: types.LLong},
				{Name: "d", Type: &ctype.Type{Kind: ctype.Aggregate, Record: inner}},
				{Name: "f", Type: types.Int, BitField: true, Bits: 3},
			}
		}
		if err := types.Model.Layout(r); err != nil {
			t.Fatal(err)
		}
	}
	e := &ctype.EnumType{Tag: "e"}
	types.Complete(e, 0, 0x80000000, false)
	return &names{types, &ctype.Type{Kind: ctype.Aggregate, Record: s}, &ctype.Type{Kind: ctype.Enum, Enum: e}}
}

func (n *names) Typedef(name string) *ctype.Type {
	if name == "u8" {
		return n.types.UChar.Named("u8", 0)
	}
	return nil
}

func (n *names) Tagged(keyword, tag string) *ctype.Type {
	switch keyword + " " + tag {
	case "struct s":
		return n.record
	case "enum e":
		return n.enum
	}
	return &ctype.Type{Kind: ctype.Aggregate, Record: &ctype.Record{Tag: tag}}
}

func (n *names) Enumerator(name string) (cexpr.Value, bool) {
	switch name {
	case "RED":
		return cexpr.Int(n.types.Int, 0), true
	case "GREEN":
		return cexpr.Int(n.types.Int, 7), true
	case "FAR":
		return cexpr.Int(n.types.UInt, 0x80000000), true
	}
	return cexpr.Value{}, false
}

func (n *names) Variable(name string) *ctype.Type {
	switch name {
	case "object":
		return n.record
	case "function":
		return &ctype.Type{Kind: ctype.Function, Elem: n.types.Int}
	}
	return nil
}

func lex(text string) []ctoken.Token {
	var all []ctoken.Token
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		kind, token, n := ctoken.Next(text)
		all = append(all, ctoken.Token{Kind: kind, Text: token})
		text = text[n:]
	}
	return all
}

// constants are expressions that have a value.
var constants = []string{
	"0", "1", "017", "0x7fffffff", "0x80000000", "2147483647", "2147483648", "4294967295", "0xffffffffffffffff", "1U", "1L", "1UL", "1LL", "1ULL", "1lu", "0b1011",
	"'a'", "'\\n'", "'\\0'", "'\\377'", "'\\xfe'", "'ab'", "'abcd'",
	"-1", "~0", "!0", "!5", "+3", "- - 1", "-1U", "~0UL", "-(1 << 30)", "-2147483647 - 1",
	"1 + 2 * 3", "(1 + 2) * 3", "7 / 2", "-7 / 2", "7 % 3", "-7 % 3", "7U / 2", "1 << 31", "1U << 31", "1LL << 40", "-8 >> 1", "0xfffffff8U >> 1", "1 << 2 << 3",
	"1 < 2", "-1 < 0U", "-1L < 0U", "-1LL < 0UL", "1 == 1", "1 != 1", "2 > 1 > 0", "3 >= 3", "3 <= 2",
	"5 & 3", "5 | 3", "5 ^ 3", "1 | 2 ^ 3 & 4", "1 && 0 || 1", "0 || 0", "1 && 2", "0 && 1 / 0", "1 || 1 / 0",
	"1 ? 2 : 3", "0 ? 2 : 3", "1 ? -1 : 0U", "0 ? 1 : 2 ? 3 : 4", "5 ?: 6", "0 ?: 6", "1 ? 2 : 1 / 0",
	"(char)200", "(signed char)200", "(unsigned char)300", "(short)70000", "(u8)-1", "(_Bool)2", "(long)-1", "(unsigned long)-1", "(long long)1 << 40", "(unsigned)-1 > 0", "(int)(char)255",
	"(enum e)1", "RED", "GREEN + 1", "FAR", "FAR > 0", "-FAR > 0",
	"sizeof(int)", "sizeof(long)", "sizeof(char *)", "sizeof(void (*)(int))", "sizeof(int[3])", "sizeof(int[3][4])", "sizeof(int (*)[3])", "sizeof 1", "sizeof(1LL)", "sizeof(struct s)", "sizeof(enum e)",
	"sizeof(object)", "sizeof object.d.c", "sizeof(object.d.c[0])", "sizeof(((struct s *)0)->d)", "sizeof(*(struct s *)0)", "sizeof(function(1))", "sizeof('a')", "sizeof(\"abc\")", "sizeof(unsigned long int)", "sizeof(long double)", "sizeof(const volatile u8)", "sizeof(typeof(1L))", "sizeof(__typeof__(object))", "sizeof(char) + 1", "sizeof(int)*2", "(sizeof(int))*2", "-sizeof(int) > 0",
	"_Alignof(long long)", "__alignof__(long long)", "_Alignof(struct s)", "_Alignof(double)", "__alignof__(double[2])", "_Alignof(char)",
	"__builtin_offsetof(struct s, b)", "__builtin_offsetof(struct s, d.c[2])", "(unsigned long)&((struct s *)0)->d", "(unsigned long)&((struct s *)0)->d.c[1]", "(long)((char *)8 + 4)", "(int)((int *)8 - (int *)0)",
	"__builtin_choose_expr(0, 1, 2L)", "__builtin_constant_p(3)", "__builtin_bswap16(0x1234)", "__builtin_bswap32(0x12345678)", "__builtin_bswap64(1)",
}

func TestCompilersAgreeOnConstants(t *testing.T) {
	eachJudge(t, func(t *testing.T, e *cexpr.Evaluator, compiler string) {
		judge(t, e, compiler, constants)
	})
}

// TestCompilersAgreeOnRandomExpressions makes expressions of every operator.
func TestCompilersAgreeOnRandomExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	literals := []string{"0", "1", "2", "3", "7", "31", "127U", "128", "255", "0x7fffffff", "0x80000000", "0xffffffffU", "5L", "9UL", "0x100000000LL", "0x7fffffffffffffff", "0xffffffffffffffffULL", "'a'", "GREEN", "FAR", "sizeof(int)"}
	operators := []string{"+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "==", "!=", "<", ">", "<=", ">=", "&&", "||"}
	casts := []string{"(char)", "(unsigned char)", "(short)", "(unsigned)", "(long)", "(unsigned long)", "(long long)", "(_Bool)", "(u8)"}
	var expression func(depth int) string
	expression = func(depth int) string {
		switch n := r.IntN(10); {
		case depth == 0 || n == 0:
			return literals[r.IntN(len(literals))]
		case n == 1:
			return []string{"-", "~", "!", "+"}[r.IntN(4)] + "(" + expression(depth-1) + ")"
		case n == 2:
			return casts[r.IntN(len(casts))] + "(" + expression(depth-1) + ")"
		case n == 3:
			return "(" + expression(depth-1) + " ? " + expression(depth-1) + " : " + expression(depth-1) + ")"
		default:
			return "(" + expression(depth-1) + " " + operators[r.IntN(len(operators))] + " " + expression(depth-1) + ")"
		}
	}
	all := make([]string, 2000)
	for i := range all {
		all[i] = expression(1 + i%4)
	}
	eachJudge(t, func(t *testing.T, e *cexpr.Evaluator, compiler string) {
		if known := judge(t, e, compiler, all); known < len(all)/3 {
			t.Errorf("only %d of %d have a value", known, len(all))
		}
	})
}

func eachJudge(t *testing.T, test func(t *testing.T, e *cexpr.Evaluator, compiler string)) {
	for _, j := range judges {
		t.Run(j.compiler, func(t *testing.T) {
			if _, err := exec.LookPath(j.compiler); err != nil {
				t.Skip(err)
			}
			types := ctype.New(&j.model)
			test(t, &cexpr.Evaluator{Types: types, Scope: scope(t, types)}, j.compiler)
		})
	}
}

// judge asserts the value, the sign and the type of every expression that has
// a value to a compiler, and returns how many have.
func judge(t *testing.T, e *cexpr.Evaluator, compiler string, all []string) int {
	t.Helper()
	var src strings.Builder
	src.WriteString(prelude + "#line 1 \"expressions\"\n")
	known := 0
	for _, x := range all {
		v, err := e.Eval(lex(x))
		if err != nil {
			t.Errorf("%s: %v", x, err)
		}
		if err != nil || !v.Known {
			src.WriteString("\n")
			continue
		}
		known++
		name := v.Type.Name
		if v.Type.Kind == ctype.Enum {
			name = "enum " + v.Type.Enum.Tag
		}
		negative := 0
		if v.Negative() {
			negative = 1
		}
		fmt.Fprintf(&src, "_Static_assert((unsigned long long)(%s) == %dULL && ((%s) < 0) == %d && __builtin_types_compatible_p(__typeof__(%s), %s), \"%d, a %s\");\n",
			x, uint64(v.Bits), x, negative, x, name, int64(v.Bits), name)
	}
	cmd := exec.Command(compiler, "-xc", "-w", "-fsyntax-only", "-fmax-errors=0", "-nostdinc", "-")
	cmd.Stdin = strings.NewReader(src.String())
	out, err := cmd.CombinedOutput()
	if err == nil {
		return known
	}
	for line := range strings.Lines(string(out)) {
		var n int
		if _, err := fmt.Sscanf(line, "expressions:%d:", &n); err == nil && strings.Contains(line, "error") {
			t.Errorf("%s: %s", all[n-1], strings.TrimSpace(line))
		}
	}
	if !t.Failed() {
		t.Errorf("%v\n%s", err, out)
	}
	return known
}

func TestWhatHasNoValue(t *testing.T) {
	types := ctype.New(&judges[0].model)
	e := &cexpr.Evaluator{Types: types, Scope: scope(t, types)}
	for x, want := range map[string]string{
		"1 / 0":                         "a division by zero",
		"1 << 32":                       "a shift",
		"0x7fffffff + 1":                "the value overflows",
		"0x7fffffff * 2":                "the value overflows",
		"-0x7fffffff - 2":               "the value overflows",
		"(-0x7fffffff - 1) / -1":        "the value overflows",
		"0x7fffffffffffffff + 1":        "the value overflows",
		"-(-0x7fffffffffffffff - 1)":    "the value overflows",
		"0x4000000000000000 * 2":        "the value overflows",
		"1.5":                           "a floating-point number",
		"1, 2":                          "the comma operator",
		"object.a":                      "object is a variable",
		"object.f":                      "a bit-field",
		"function(1)":                   "a call of a function",
		"(struct s *)0 < (struct s *)8": "an order of pointers",
		"((struct s *)0)->a":            "it reads memory",
		"(__int128)1":                   "an integer of more than 64 bits",
		"sizeof(struct unknown)":        "the size of struct unknown is not known",
		"L'a'":                          "a wide character",
	} {
		v, err := e.Eval(lex(x))
		if err != nil || v.Known || !strings.Contains(v.Why, want) {
			t.Errorf("%s: got %+v and %v, want %q", x, v, err, want)
		}
	}
	for x, want := range map[string]string{
		"":                          "an expression expected at the end",
		"1 +":                       "an expression expected at the end",
		"(1":                        ") expected at the end",
		"1 2":                       `unexpected token at "2"`,
		"unknown":                   `an unknown name at "unknown"`,
		"int":                       `a type at "int"`,
		"1 = 2":                     `an assignment at "="`,
		"(int){1}":                  `a compound literal at "{"`,
		"({ 1; })":                  `a block of statements at "{"`,
		"((struct s *)0)->zz":       `no such member at "zz"`,
		"0x1ffffffffffffffff":       "no integer of 64 bits",
		"1lul":                      "no suffix of an integer",
		"08":                        "no integer",
		"''":                        "no character",
		"*1":                        "no pointer",
		"1[2]":                      "no pointer",
		"struct { int a; }":         `a type at "struct"`,
		"sizeof(struct { int a; })": "a definition in an expression",
		strings.Repeat("(", 1000):   "the expression nests too deep",
		strings.Repeat("- ", 5000):  "the expression nests too deep",
	} {
		if _, err := e.Eval(lex(x)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", x, err, want)
		}
	}
}

func TestTypes(t *testing.T) {
	types := ctype.New(&judges[0].model)
	e := &cexpr.Evaluator{Types: types, Scope: scope(t, types)}
	for x, size := range map[string]int64{"int": 4, "unsigned long int *": 8, "struct s": 40, "char[3][5]": 15, "int *[4]": 32, "int (*)[4]": 8, "int (*(*)(void))[4]": 8, "long long unsigned": 8, "const u8 * const": 8, "void": 1} {
		got, err := e.Type(lex(x))
		if err != nil {
			t.Errorf("%s: %v", x, err)
			continue
		}
		if n, ok := got.Size(); !ok || n != size {
			t.Errorf("%s has %d bytes, want %d", x, n, size)
		}
	}
	for _, x := range []string{"", "1", "unknown", "int int", "int[-1]", "int[object.a]", "int (", "long char"} {
		if got, err := e.Type(lex(x)); err == nil {
			t.Errorf("%q is %+v", x, got)
		}
	}
}

// FuzzEval holds the evaluator to a value or an error, whatever it is given.
func FuzzEval(f *testing.F) {
	for _, x := range constants {
		f.Add(x)
	}
	types := ctype.New(&judges[0].model)
	e := &cexpr.Evaluator{Types: types, Scope: scope(&testing.T{}, types)}
	f.Fuzz(func(t *testing.T, x string) {
		v, err := e.Eval(lex(x))
		if err == nil && v.Type == nil {
			t.Errorf("%s has no type", x)
		}
		e.Type(lex(x))
	})
}
