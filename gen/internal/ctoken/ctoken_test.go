package ctoken_test

import (
	"strings"
	"testing"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

func TestNext(t *testing.T) {
	for text, want := range map[string]string{
		"a+++b":             "a ++ + b",
		"x->y":              "x -> y",
		"a<<=b>>=c":         "a <<= b >>= c",
		"0x1e+2":            "0x1e+2", // a preprocessing number, and no C
		"1.5e-3f;":          "1.5e-3f ;",
		".5 ...":            ".5 ...",
		`"a\"b" 'c\'' L"d"`: `"a\"b" 'c\'' L"d"`,
		`u8"x"u'y'`:         `u8"x" u'y'`,
		"%:%:<:a:><%b%>":    "## [ a ] { b }",
		"\"open\nnext":      "\"open next",
		"a@b`c":             "a @ b ` c",
		"_a1$ é":            "_a1$ é",
		"##x":               "## x",
	} {
		var got []string
		for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
			_, token, n := ctoken.Next(rest)
			got = append(got, token)
			rest = rest[n:]
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q is %q, want %q", text, s, want)
		}
	}
}
