// Package headers holds this project's own edition of the Linux UAPI headers
// that the bindings are generated from.
//
// The declarations are the kernel's binary interface, and the same as those
// of the kernel's own headers of Linux 7.3 (make verify compares them). The
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
package headers

import "embed"

// FS holds the headers, by the names that #include <...> uses.
//
//go:embed asm linux
var FS embed.FS
