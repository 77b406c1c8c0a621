// Package headers holds this project's own edition of the Linux UAPI headers
// that the bindings are generated from.
//
// The declarations are the kernel's binary interface, and the same as those
// of the kernel's own headers of the release that linux/version.h tells (make
// verify compares them, make kernel brings them up to a newer release). The
// comments are ours, and become the documentation of package uffd, whichever
// headers the generator is pointed at. They follow a form:
//
//   - A comment directly before a macro, a struct or a member documents it. It
//     begins with the C name of the macro or the struct. Other members are
//     named with their struct: uffdio_copy.dst.
//   - A comment before an empty line is the heading of the macros that follow,
//     up to the next heading or struct.
//   - The sentence "Since Linux X.Y." ends the text of what that release
//     brought. A member without it came with its struct.
//   - What nobody has described yet has [Undescribed] for its sentence.
package headers

import "embed"

// FS holds the headers, by the names that #include <...> uses.
//
//go:embed asm linux
var FS embed.FS

// Undescribed stands in a comment in the place of the sentence that a person
// has yet to write. Make check names the symbols that have it, make lint fails
// on them.
const Undescribed = "TODO: describe."

// Parts are the headers of which this edition has only a part: an expression
// that the names of its constants and structs match, by header.
var Parts = map[string]string{
	"linux/fs.h": `^(PAGEMAP_|PAGE_IS_|PM_SCAN_|PROCFS_IOCTL_MAGIC$|pagemap_|page_region|pm_)`,
}
