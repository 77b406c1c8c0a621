package cheader

import "embed"

// libc are the C library's headers that kernel headers include, as far as those
// need them.
//
//go:embed libc/*.h libc/*/*.h
var libc embed.FS
