package cheader

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// archFS is a Sysroot as one architecture's preprocessor sees it: the include
// path is s.name, and every file becomes a source on its way in.
type archFS struct {
	s       *Sysroot
	a       *arch
	r       *reader
	sources map[string]*source // by the names that the preprocessor has for them
	asked   []string           // the macros whose values were asked for, on every other line
	missing []string           // what was looked for in vain
	hostile error              // the first file that was refused
	hasLibc *bool              // whether the sysroot has a C library, once asked
}

func newArchFS(s *Sysroot, a *arch) *archFS {
	return &archFS{s: s, a: a, r: &reader{}, sources: map[string]*source{}}
}

// find returns a header's content, and the name of its file: the sysroot's,
// or, of the compiler and the C library, this package's own. The compiler's are
// always ours, the C library's where the sysroot has none of the architecture.
func (f *archFS) find(header string) (content []byte, name string, err error) {
	own, ownErr := fs.ReadFile(libc, path.Join("libc", header))
	if ownErr == nil && (slices.Contains(compilers, header) || !f.libc()) {
		return own, "<" + header + ">", nil
	}
	return f.s.read(f.a, header)
}

// compilers are the headers that come with a compiler, not with a C library.
var compilers = []string{"stddef.h", "stdbool.h", "stdarg.h", "stdint.h", "limits.h"}

// libc reports whether the sysroot has a C library of the architecture.
func (f *archFS) libc() bool {
	if f.hasLibc == nil {
		_, _, glibc := f.s.read(f.a, "bits/types.h")
		_, _, musl := f.s.read(f.a, "bits/alltypes.h")
		has := glibc == nil || musl == nil
		f.hasLibc = &has
	}
	return *f.hasLibc
}

// Open implements fs.FS for the preprocessor, which asks for s.name/header.
func (f *archFS) Open(name string) (fs.File, error) {
	src := f.sources[name]
	if src == nil {
		header, ok := strings.CutPrefix(name, f.s.name+"/")
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		content, realName, err := f.find(header)
		if err != nil {
			f.missing = append(f.missing, header)
			return nil, err
		}
		if src, err = f.r.read(realName, content); err != nil {
			if f.hostile == nil {
				f.hostile = err
			}
			return nil, err
		}
		f.sources[name] = src
	}
	return &memFile{name: path.Base(name), Reader: strings.NewReader(src.text)}, nil
}

// memFile is an open file in memory.
type memFile struct {
	name string
	*strings.Reader
}

func (m *memFile) Close() error               { return nil }
func (m *memFile) Stat() (fs.FileInfo, error) { return m, nil }
func (m *memFile) Name() string               { return m.name }
func (m *memFile) Mode() fs.FileMode          { return 0o444 }
func (m *memFile) ModTime() time.Time         { return time.Time{} }
func (m *memFile) IsDir() bool                { return false }
func (m *memFile) Sys() any                   { return nil }
