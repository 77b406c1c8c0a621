package since_test

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/zuffd/uffd/verify/since"
)

const header = `/* A header. */
#ifndef A_H
#define A_H

/* Constants. */

/*
 * A_ONE is the first. It changed in 9.9. Since
 * Linux 4.3.
 */
#define A_ONE 1

/* A_TWO: the second. Since Linux 5.10. */
#define A_TWO \
	(A_ONE << 1)

/* a_struct is a struct. Since Linux 4.3. */
struct a_struct {
	/* A member. */
	__u64 plain;
	/* A later one. Since Linux 5.0. */
	char later[16];
	union {
		/* A late struct. Since Linux 6.1. */
		struct {
			/* In it. */
			__u32 inner;
		} late;
		__u32 early;
	} u;
} __attribute__((packed));

#endif
`

func TestDocumented(t *testing.T) {
	got, err := since.Documented(fstest.MapFS{"a.h": {Data: []byte(header)}}, "a.h")
	if err != nil {
		t.Fatal(err)
	}
	want := since.Symbols{
		"A_ONE": {4, 3}, "A_TWO": {5, 10}, "a_struct": {4, 3}, "a_struct.plain": {4, 3},
		"a_struct.later": {5, 0}, "a_struct.u": {4, 3}, "a_struct.u.late": {6, 1},
		"a_struct.u.late.inner": {6, 1}, "a_struct.u.early": {4, 3},
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDocumentedRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"a macro that says no release", "5.10.", "some day.", "a.h:14: A_TWO does not say"},
		{"a struct that says no release", "a_struct is a struct. Since Linux 4.3.", "a_struct.", "a_struct does not say"},
		{"a member that it cannot read", "__u64 plain;", "void (*f)(void);", `"void (*f)(void);" is not understood`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(header, tt.old, tt.new, 1)
			_, err := since.Documented(fstest.MapFS{"a.h": {Data: []byte(text)}}, "a.h")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestReleasesAreOrderedByNumber(t *testing.T) {
	older, err1 := since.Parse("5.9")
	newer, err2 := since.Parse("5.10.223-1")
	if err1 != nil || err2 != nil || !older.Before(newer) || newer.Before(older) || newer.Before(newer) {
		t.Errorf("%v (%v), %v (%v)", older, err1, newer, err2)
	}
	if r, err := since.Parse("sid"); err == nil {
		t.Errorf("sid is %v", r)
	}
}
