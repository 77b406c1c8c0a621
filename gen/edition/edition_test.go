package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes a directory of headers, name and content by turns, with the
// types that they need and of a release.
func tree(t *testing.T, version string, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	files = append(files, "linux/types.h", "typedef unsigned char __u8;\ntypedef unsigned short __u16;\ntypedef unsigned int __u32;\ntypedef unsigned long long __u64;\n")
	if version != "" {
		files = append(files, "linux/version.h", versionHeader(version))
	}
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bringUp runs the command in this process.
func bringUp(t *testing.T, ours, theirs string, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(append([]string{"-headers", ours, "-sysroot", theirs}, args...), &out, &errs)
	return out.String() + errs.String(), err
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const header = "linux/thing.h"

// ours is an edition in the form that package headers describes.
const ours = `/*
 * Things.
 */
#ifndef _LINUX_THING_H
#define _LINUX_THING_H

#include <linux/types.h>

/* The flags of a thing. */

/*
 * THING_FLAG_RED makes it red. Since Linux 5.1.
 */
#define THING_FLAG_RED (1 << 0)

/*
 * THING_FLAG_ALL is all flags. Since Linux 5.1.
 */
#define THING_FLAG_ALL (THING_FLAG_RED)

/*
 * THING_SIZE_OLD is of no use. Since Linux 5.1.
 */
#define THING_SIZE_OLD 3

/* The states. */

enum thing_state {
	/* THING_STATE_ON: it is on. Since Linux 5.2. */
	THING_STATE_ON = 1,
	/* THING_STATE_OFF: it is off. Since Linux 5.2. */
	THING_STATE_OFF,
};

/*
 * thing is a thing. Since Linux 5.1.
 */
struct thing {
	/* What it weighs, which takes more than one line of eighty columns to say. */
	__u32 weight;

	/* What it is like. */
	union {
		/* Its colour. */
		__u32 colour;
		/* Its parts. Since Linux 5.3. */
		struct {
			/* The upper one. */
			__u16 upper;
			/* The lower one. */
			__u16 lower;
		} parts;
	} like;
};

/*
 * thing_old is of no use. Since Linux 5.1.
 */
struct thing_old {
	/* Nothing. */
	__u32 nothing;
};

#endif
`

// kernel is what a kernel would have: the same interface with other words, in
// another order.
const kernel = `/* SPDX */
#ifndef _UAPI_LINUX_THING_H
#define _UAPI_LINUX_THING_H
#include <linux/types.h>
struct thing {
	__u32 weight; /* KERNEL PROSE */
#define THING_FLAG_RED	(1<<0)	/* KERNEL PROSE */
	union {
		__u32 colour;
		struct { __u16 upper; __u16 lower; } parts;
	} like;
};
struct thing_old { __u32 nothing; };
#define THING_SIZE_OLD	(3)
/*
 * KERNEL PROSE
 */
#define THING_FLAG_ALL	\
	(THING_FLAG_RED)
enum thing_state {
	THING_STATE_ON = 1,	/* KERNEL PROSE */
	THING_STATE_OFF
};
#endif /* KERNEL PROSE */
`

func TestTheSameInterfaceChangesNothingButTheRelease(t *testing.T) {
	dir := tree(t, "6.1", header, ours)
	out, err := bringUp(t, dir, tree(t, "6.2", header, kernel), header)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, header); got != ours {
		t.Errorf("the header has become\n%s", got)
	}
	if got := read(t, dir, "linux/version.h"); !strings.Contains(got, "393728 /* 6.2.0: 6 << 16 | 2 << 8 */") {
		t.Errorf("linux/version.h has become\n%s", got)
	}
	if !strings.Contains(out, "Linux 6.1 -> 6.2") || !strings.Contains(out, header+": the same") {
		t.Errorf("it says\n%s", out)
	}
}

// edits are what a newer kernel may do: what it replaces in the kernel's
// header by what, and what then is to be in ours in the place of what.
var edits = []struct {
	name    string
	kernel  []string // old and new by turns
	ours    []string
	changes []string // lines that are printed
}{
	{
		"a flag, and the set of all flags",
		[]string{
			"#define THING_FLAG_RED	(1<<0)	/* KERNEL PROSE */\n", "#define THING_FLAG_RED	(1<<0)\n#define THING_FLAG_BLUE	(1<<1)	/* KERNEL PROSE */\n",
			"	(THING_FLAG_RED)", "	( THING_FLAG_RED|	\\\n	THING_FLAG_BLUE )",
		},
		[]string{
			"#define THING_FLAG_RED (1 << 0)\n", "#define THING_FLAG_RED (1 << 0)\n\n/*\n * THING_FLAG_BLUE: TODO: describe. Since Linux 6.2.\n */\n#define THING_FLAG_BLUE (1 << 1)\n",
			"#define THING_FLAG_ALL (THING_FLAG_RED)\n", "#define THING_FLAG_ALL (THING_FLAG_RED | THING_FLAG_BLUE)\n",
		},
		[]string{"added constant THING_FLAG_BLUE: 0x2", "changed constant THING_FLAG_ALL: 0x1 -> 0x3", ":19: THING_FLAG_BLUE is to be described", "1 sentences are to be written"},
	},
	{
		"a flag before the others",
		[]string{"struct thing {\n", "#define THING_FLAG_NONE 0\nstruct thing {\n"},
		[]string{"/*\n * THING_FLAG_RED makes", "/*\n * THING_FLAG_NONE: TODO: describe. Since Linux 6.2.\n */\n#define THING_FLAG_NONE 0\n\n/*\n * THING_FLAG_RED makes"},
		nil,
	},
	{
		"two constants of which the place cannot be known",
		[]string{"struct thing_old {", "#define OTHER_ONE	0x10\n#define OTHER_TWO	OTHER_ONE\nstruct thing_old {"},
		[]string{"	THING_STATE_OFF,\n};\n", "	THING_STATE_OFF,\n};\n\n/* New in Linux 6.2. */\n\n/*\n * OTHER_ONE: TODO: describe. Since Linux 6.2.\n */\n#define OTHER_ONE 0x10\n\n" +
			"/*\n * OTHER_TWO: TODO: describe. Since Linux 6.2.\n */\n#define OTHER_TWO OTHER_ONE\n"},
		nil,
	},
	{
		"a value that changes",
		[]string{"THING_SIZE_OLD	(3)", "THING_SIZE_OLD	(4)"},
		[]string{"#define THING_SIZE_OLD 3\n", "#define THING_SIZE_OLD 4\n"},
		[]string{"changed constant THING_SIZE_OLD: 0x3 -> 0x4"},
	},
	{
		"a value made of what only the kernel's headers have",
		[]string{"#define THING_SIZE_OLD	(3)", "#define THING_SIZE_OLD	(3)\n#include <linux/limit.h>\n#define THING_SIZE_MAX	LIMIT(2)"},
		[]string{"#define THING_SIZE_OLD 3\n", "#define THING_SIZE_OLD 3\n\n/*\n * THING_SIZE_MAX: TODO: describe. Since Linux 6.2.\n */\n#define THING_SIZE_MAX 0x200\n"},
		nil,
	},
	{
		"a constant and a struct that are gone",
		[]string{"#define THING_SIZE_OLD	(3)\n", "", "struct thing_old { __u32 nothing; };\n", ""},
		[]string{
			"/*\n * THING_SIZE_OLD is of no use. Since Linux 5.1.\n */\n#define THING_SIZE_OLD 3\n\n", "",
			"/*\n * thing_old is of no use. Since Linux 5.1.\n */\nstruct thing_old {\n	/* Nothing. */\n	__u32 nothing;\n};\n\n", "",
		},
		[]string{"removed constant THING_SIZE_OLD: 0x3", "removed struct thing_old: struct of 4 bytes, aligned to 4"},
	},
	{
		"enumerators",
		[]string{"	THING_STATE_ON = 1,	/* KERNEL PROSE */\n	THING_STATE_OFF\n", "	THING_STATE_NONE,\n	THING_STATE_ON,\n	THING_STATE_OFF,\n	THING_STATE_BROKEN = 1<<4\n"},
		[]string{
			"	/* THING_STATE_ON: it is on. Since Linux 5.2. */\n	THING_STATE_ON = 1,\n", "	/* THING_STATE_NONE: TODO: describe. Since Linux 6.2. */\n	THING_STATE_NONE,\n	/* THING_STATE_ON: it is on. Since Linux 5.2. */\n	THING_STATE_ON,\n",
			"	THING_STATE_OFF,\n", "	THING_STATE_OFF,\n	/* THING_STATE_BROKEN: TODO: describe. Since Linux 6.2. */\n	THING_STATE_BROKEN = 1 << 4,\n",
		},
		nil,
	},
	{
		"macros that become an enum, with one more",
		[]string{"#define THING_FLAG_RED	(1<<0)	/* KERNEL PROSE */\n", "", "struct thing {\n", "enum thing_flag {\n	THING_FLAG_RED = (1<<0),\n#define THING_FLAG_RED THING_FLAG_RED\n	THING_FLAG_BLUE = 1<<1,\n#define THING_FLAG_BLUE THING_FLAG_BLUE\n};\nstruct thing {\n"},
		[]string{"#define THING_FLAG_RED (1 << 0)\n", "#define THING_FLAG_RED (1 << 0)\n\n/*\n * THING_FLAG_BLUE: TODO: describe. Since Linux 6.2.\n */\n#define THING_FLAG_BLUE 0x2\n"},
		nil,
	},
	{
		"an enumerator that becomes a macro, beside a new one",
		[]string{"	THING_STATE_OFF\n};", "	THING_STATE_AWAY = 5,\n};\n#define THING_STATE_OFF (THING_STATE_ON + 1)"},
		[]string{
			"	/* THING_STATE_OFF: it is off. Since Linux 5.2. */\n	THING_STATE_OFF,\n};\n", "	/* THING_STATE_AWAY: TODO: describe. Since Linux 6.2. */\n	THING_STATE_AWAY = 5,\n};\n\n/*\n * THING_STATE_OFF: it is off. Since Linux 5.2.\n */\n#define THING_STATE_OFF (THING_STATE_ON + 1)\n",
		},
		[]string{"added constant THING_STATE_AWAY: 0x5"},
	},
	{
		"enumerators that have macros of their names",
		[]string{"	THING_STATE_OFF\n};", "	THING_STATE_OFF,\n#define THING_STATE_OFF	THING_STATE_OFF\n	THING_STATE_AWAY,\n#define THING_STATE_AWAY	THING_STATE_AWAY\n};"},
		[]string{"	THING_STATE_OFF,\n", "	THING_STATE_OFF,\n	/* THING_STATE_AWAY: TODO: describe. Since Linux 6.2. */\n	THING_STATE_AWAY,\n"},
		nil,
	},
	{
		"an enumerator that is gone",
		[]string{",	/* KERNEL PROSE */\n	THING_STATE_OFF\n", "\n"},
		[]string{"	/* THING_STATE_OFF: it is off. Since Linux 5.2. */\n	THING_STATE_OFF,\n", ""},
		[]string{"removed constant THING_STATE_OFF: 0x2"},
	},
	{
		"an enum that is gone, and another",
		[]string{"enum thing_state {\n	THING_STATE_ON = 1,	/* KERNEL PROSE */\n	THING_STATE_OFF\n};", "enum thing_mood { THING_MOOD_GOOD, THING_MOOD_BAD };"},
		[]string{"\nenum thing_state {\n	/* THING_STATE_ON: it is on. Since Linux 5.2. */\n	THING_STATE_ON = 1,\n	/* THING_STATE_OFF: it is off. Since Linux 5.2. */\n	THING_STATE_OFF,\n};\n",
			"\n/* New in Linux 6.2. */\n\nenum thing_mood {\n	/* THING_MOOD_GOOD: TODO: describe. Since Linux 6.2. */\n	THING_MOOD_GOOD,\n	/* THING_MOOD_BAD: TODO: describe. Since Linux 6.2. */\n	THING_MOOD_BAD,\n};\n"},
		nil,
	},
	{
		"members of a struct, and what is in them",
		[]string{"		struct { __u16 upper; __u16 lower; } parts;\n	} like;", "		struct { __u16 upper; __u16 lower; } parts;\n		struct {\n			__u8 a:4, b:4;	/* KERNEL PROSE */\n			__u8 rest[3];\n		};\n	} like;\n	__u64 price __attribute__((aligned(8)));"},
		[]string{
			"	/* What it weighs, which takes more than one line of eighty columns to say. */\n", "	/*\n	 * What it weighs, which takes more than one line of eighty columns to\n	 * say.\n	 */\n",
			"		} parts;\n	} like;\n", "		} parts;\n		/* TODO: describe. Since Linux 6.2. */\n		struct {\n			/* TODO: describe. */\n			__u8 a:4, b:4;\n			/* TODO: describe. */\n			__u8 rest[3];\n		};\n	} like;\n\n	/* TODO: describe. Since Linux 6.2. */\n	__u64 price __attribute__((aligned(8)));\n",
		},
		[]string{"added field thing.price: __u64 at offset 8, 8 bytes"},
	},
	{
		"a struct that is packed, and holds one that comes before it",
		[]string{"struct thing_old {", "struct thing_pair {\n	struct thing first;\n	__u8 n;\n#define THING_PAIR_MAX 2\n	struct thing_part { __u16 x; } part;\n} __attribute__((packed));\nstruct thing_old {"},
		[]string{
			"	THING_STATE_OFF,\n};\n", "	THING_STATE_OFF,\n};\n\n/* New in Linux 6.2. */\n\n/*\n * THING_PAIR_MAX: TODO: describe. Since Linux 6.2.\n */\n#define THING_PAIR_MAX 2\n",
			"\n/*\n * thing_old is", "\n/*\n * thing_pair: TODO: describe. Since Linux 6.2.\n */\nstruct thing_pair {\n	/* TODO: describe. */\n	struct thing first;\n	/* TODO: describe. */\n	__u8 n;\n	/* TODO: describe. */\n	struct thing_part {\n		/* TODO: describe. */\n		__u16 x;\n	} part;\n} __attribute__((packed));\n\n/*\n * thing_old is",
		},
		nil,
	},
	{
		"a type that changes",
		[]string{"__u32 nothing", "__u64 nothing[2]"},
		[]string{"	__u32 nothing;", "	__u64 nothing[2];"},
		[]string{"changed field thing_old.nothing: __u32 at offset 0, 4 bytes -> __u64[2] at offset 0, 16 bytes"},
	},
	{
		"a layout that only an attribute changes",
		[]string{"struct thing_old { __u32 nothing; };", "struct thing_old { __u32 nothing; } __attribute__((aligned(16)));"},
		[]string{"	__u32 nothing;\n};", "	__u32 nothing;\n} __attribute__((aligned(16)));"},
		[]string{"changed struct thing_old: struct of 4 bytes, aligned to 4 -> struct of 16 bytes, aligned to 16"},
	},
}

func TestBringingUp(t *testing.T) {
	limit := []string{"linux/limit.h", "#define LIMIT(n) (0x100 * (n))\n"}
	for _, tt := range edits {
		t.Run(tt.name, func(t *testing.T) {
			theirs, want := kernel, ours
			for i := 0; i < len(tt.kernel); i += 2 {
				theirs = replaceOnce(t, theirs, tt.kernel[i], tt.kernel[i+1])
			}
			for i := 0; i < len(tt.ours); i += 2 {
				want = replaceOnce(t, want, tt.ours[i], tt.ours[i+1])
			}
			dir := tree(t, "6.1", header, ours)
			newer := tree(t, "6.2", append(limit, header, theirs)...)
			out, err := bringUp(t, dir, newer, header)
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, dir, header)
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for _, line := range tt.changes {
				if !strings.Contains(out, line) {
					t.Errorf("it does not say %q:\n%s", line, out)
				}
			}
			if strings.Contains(got, "KERNEL PROSE") {
				t.Error("it has taken over a comment")
			}
			if out, err := bringUp(t, dir, newer, header); err != nil || !strings.Contains(out, "the same") || read(t, dir, header) != got {
				t.Errorf("a second run changes it again: %v\n%s", err, out)
			}
		})
	}
}

func replaceOnce(t *testing.T, text, old, new string) string {
	t.Helper()
	if n := strings.Count(text, old); n != 1 {
		t.Fatalf("%q is there %d times", old, n)
	}
	return strings.Replace(text, old, new, 1)
}

func TestWhatAPersonHasToDo(t *testing.T) {
	for _, tt := range []struct {
		name     string
		old, new string
		want     string
	}{
		{"a constant of some architectures", "#endif /*", "#ifdef __s390x__\n#define THING_FLAG_ODD 8\n#endif\n#endif /*", "THING_FLAG_ODD is there on s390x and not on 386,amd64"},
		{"a constant with a value for each", "#endif /*", "#ifdef __s390x__\n#define THING_FLAG_ODD 8\n#else\n#define THING_FLAG_ODD 9\n#endif\n#endif /*", "THING_FLAG_ODD is declared in one place for one architecture and in another for another"},
		{"a value that is not the same, made of what these headers do not have", "#endif /*", "#define THING_FLAG_ODD __SIZEOF_LONG__\n#endif /*", "THING_FLAG_ODD is made of __SIZEOF_LONG__"},
		{"a constant that is gone from some", "#define THING_SIZE_OLD	(3)", "#ifndef __arm__\n#define THING_SIZE_OLD 3\n#endif", "THING_SIZE_OLD is there on 386,amd64,arm64,loong64,mips64le,ppc64le,riscv64,s390x and not on arm"},
		{"a type that these headers do not have", "struct thing_old {", "typedef __u16 __be16;\nstruct thing_net { __be16 port; };\nstruct thing_old {", "struct thing_net needs __be16, which these headers do not have"},
		{"an enumerator made of what these headers do not have", "	THING_STATE_OFF\n", "	THING_STATE_OFF = __CHAR_BIT__\n", "the value of THING_STATE_OFF is made of __CHAR_BIT__"},
		{"a new struct that is declared before one that Go calls the same", "struct thing_old {", "struct Thing_old { __u32 a; };\nstruct thing_old {", "thing_old is ThingOld_ in Go: ThingOld is Thing_old: it would lose the name that programs know it by; declare the other by hand, behind it"},
		{"a new constant that takes the name of a struct", "struct thing_old {", "#define ThingOld 1\nstruct thing_old {", "linux/thing.h: thing_old is ThingOld_ in Go: ThingOld is ThingOld: it would lose the name that programs know it by"},
		{"a struct of some architectures", "struct thing_old { __u32 nothing; };", "struct thing_old { __u32 nothing; };\n#ifdef __mips__\nstruct thing_odd { __u32 odd; };\n#endif", "thing_odd is there on mips64le and not on"},
		{"a layout by byte order", "struct thing_old { __u32 nothing; };", "struct thing_old {\n#if __BYTE_ORDER__ == 1234\n	__u16 a; __u32 nothing;\n#else\n	__u32 nothing; __u16 a;\n#endif\n};", "struct thing_old needs __BYTE_ORDER__"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree(t, "6.1", header, ours)
			_, err := bringUp(t, dir, tree(t, "6.2", header, replaceOnce(t, kernel, tt.old, tt.new)), header)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "nothing was written") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if read(t, dir, header) != ours || !strings.Contains(read(t, dir, "linux/version.h"), "6.1.0") {
				t.Error("the edition was changed")
			}
		})
	}
}

func TestANewNameThatGoHasAlreadyIsAnotherAndToldOf(t *testing.T) {
	const (
		old      = "struct thing_old { __u32 nothing; };\n"
		clashing = "struct Thing_old { __u32 a; };\nstruct Thing_new { __u32 a; };\nstruct thing_new { __u32 b; };\n"
	)
	dir := tree(t, "6.1", header, ours)
	newer := tree(t, "6.2", header, replaceOnce(t, kernel, old, old+clashing))
	out, err := bringUp(t, dir, newer, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		header + ": Thing_old is ThingOld_ in Go: ThingOld is thing_old\n",
		header + ": thing_new is ThingNew_ in Go: ThingNew is Thing_new\n",
	} {
		if strings.Count(out, line) != 1 {
			t.Errorf("it does not say %q once:\n%s", line, out)
		}
	}
	// Once they are there, nobody else takes their names.
	again := tree(t, "6.3", header, replaceOnce(t, kernel, old, old+clashing+"#define ThingNew_ 1\n"))
	if _, err := bringUp(t, dir, again, header); err == nil || !strings.Contains(err.Error(), "thing_new is ThingNew__ in Go: ThingNew is Thing_new: it would lose") {
		t.Errorf("got %v", err)
	}
}

func TestTwoHeadersThatGoWouldHaveTheSameNamesOf(t *testing.T) {
	const other = "linux/other.h"
	dir := tree(t, "6.1", header, ours, other, "#define OTHER 1\n")
	newer := tree(t, "6.2", header, kernel, other, "#define OTHER 1\nstruct thing_old_ { char a; };\n#define ThingOld 2\n")
	_, err := bringUp(t, dir, newer, header, other)
	if err == nil || !strings.Contains(err.Error(), "linux/thing.h and linux/other.h both declare what is ThingOld in Go") || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("got %v", err)
	}
	if read(t, dir, header) != ours || strings.Contains(read(t, dir, other), "ThingOld") {
		t.Error("the edition was changed")
	}
}

func TestTheTreesRelease(t *testing.T) {
	t.Run("an older one is refused unless asked for", func(t *testing.T) {
		dir, older := tree(t, "6.1", header, ours), tree(t, "5.19", header, strings.Replace(kernel, "(3)", "(2)", 1))
		if _, err := bringUp(t, dir, older, header); err == nil || !strings.Contains(err.Error(), "-older") || read(t, dir, header) != ours {
			t.Errorf("got %v", err)
		}
		if _, err := bringUp(t, dir, older, "-older", header); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(read(t, dir, header), "#define THING_SIZE_OLD 2\n") || !strings.Contains(read(t, dir, "linux/version.h"), "5.19.0") {
			t.Error("the edition is not of that release")
		}
	})
	t.Run("one that is not known is refused", func(t *testing.T) {
		if _, err := bringUp(t, tree(t, "6.1", header, ours), tree(t, "", header, kernel), header); err == nil || !strings.Contains(err.Error(), "linux/version.h") {
			t.Errorf("got %v", err)
		}
	})
}

func TestATreeOfOneArchitecture(t *testing.T) {
	asm := []string{"asm/thing.h", "#define THING_SIZE_OLD 3\n"}
	dir := tree(t, "6.1", append(asm, header, "#include <asm/thing.h>\n/*\n * THING is one. Since Linux 5.1.\n */\n#define THING THING_SIZE_OLD\n")...)
	newer := tree(t, "6.2", header, "#include <asm/thing.h>\n#define THING THING_SIZE_OLD\n#define THING_TWO 2\n", "aarch64-linux-gnu/asm/thing.h", "#define THING_SIZE_OLD 3\n")
	if _, err := bringUp(t, dir, newer, header); err == nil || !strings.Contains(err.Error(), "use -arch arm64") {
		t.Errorf("got %v", err)
	}
	if _, err := bringUp(t, dir, newer, "-arch", "arm64", header); err != nil || !strings.Contains(read(t, dir, header), "#define THING_TWO 2\n") {
		t.Errorf("got %v", err)
	}
}

// TestOfAPartTheRestIsNotLookedAt uses the header that this project's edition
// has a part of.
func TestOfAPartTheRestIsNotLookedAt(t *testing.T) {
	const part = "linux/fs.h"
	dir := tree(t, "6.1", part, "/*\n * PAGE_IS_OLD is. Since Linux 5.1.\n */\n#define PAGE_IS_OLD 1\n")
	newer := tree(t, "6.2", part, "#define BLOCK 3\nstruct fs { int a; };\n#define PAGE_IS_OLD 1\n#define PAGE_IS_NEW 2\n")
	if _, err := bringUp(t, dir, newer, part); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, part); !strings.Contains(got, "PAGE_IS_NEW 2") || strings.Contains(got, "BLOCK") || strings.Contains(got, "struct") {
		t.Errorf("got\n%s", got)
	}
}

func TestACommandLineThatIsWrong(t *testing.T) {
	for _, args := range [][]string{{}, {"-sysroot", "x"}, {header}, {"-nonsense", header}} {
		var out, errs bytes.Buffer
		if err := run(args, &out, &errs); err != flag.ErrHelp || errs.Len() == 0 { // with which the command exits with 2
			t.Errorf("%v: got %v and %q", args, err, errs.String())
		}
	}
}

// TestOurFormIsKept prints every macro of this project's headers anew.
func TestOurFormIsKept(t *testing.T) {
	for _, name := range []string{"../../headers/linux/userfaultfd.h", "../../headers/linux/fs.h"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s := newSource(string(text))
		macros := 0
		for n := 1; n <= len(s.lines); n++ {
			m := definition.FindStringSubmatch(s.line(n))
			if m == nil {
				continue
			}
			macros++
			body, at, ok := s.macro(m[1], n)
			if was, is := strings.Join(s.lines[at.first-1:at.last], "\n"), strings.Join(macroLines(m[1], body), "\n"); !ok || was != is {
				t.Errorf("%s:%d: is\n%s\nwould be\n%s", name, n, was, is)
			}
		}
		if macros < 10 {
			t.Errorf("%s: only %d macros", name, macros)
		}
	}
}
