package cheader

import (
	"io/fs"
	"path"
	"slices"
	"sync"
)

// archFS is a Sysroot as one architecture sees it. It keeps the headers that
// were included, since others include them again.
type archFS struct {
	s *Sysroot
	a *arch

	mu       sync.Mutex
	included map[string]*included // by name
	hasLibc  func() bool          // whether the sysroot has a C library
}

// included is a header, or why there is none.
type included struct {
	src   *source
	found bool
	err   error
}

// forArch returns the sysroot as an architecture sees it.
func (s *Sysroot) forArch(a *arch) *archFS {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.views[a]
	if f == nil {
		f = &archFS{s: s, a: a, included: map[string]*included{}}
		f.hasLibc = sync.OnceValue(func() bool {
			_, _, glibc := s.read(a, "bits/types.h")
			_, _, musl := s.read(a, "bits/alltypes.h")
			return glibc == nil || musl == nil
		})
		if s.views == nil {
			s.views = map[*arch]*archFS{}
		}
		s.views[a] = f
	}
	return f
}

// compilers are the headers that come with a compiler, not with a C library.
var compilers = []string{"stddef.h", "stdbool.h", "stdarg.h", "stdint.h", "limits.h"}

// find returns a header's content, and the name of its file: the sysroot's,
// or, of the compiler and the C library, this package's own. The compiler's are
// always ours, the C library's where the sysroot has none of the architecture.
func (f *archFS) find(header string) (content []byte, name string, err error) {
	if own, name := f.own(header); own != nil {
		return own, name, nil
	}
	return f.s.read(f.a, header)
}

// own returns a header that this package has for the compiler or the C library.
func (f *archFS) own(header string) (content []byte, name string) {
	if !fs.ValidPath(header) {
		return nil, ""
	}
	own, err := fs.ReadFile(libc, path.Join("libc", header))
	if err == nil && (slices.Contains(compilers, header) || !f.hasLibc()) {
		return own, "<" + header + ">"
	}
	return nil, ""
}

// include returns a header that another includes.
func (f *archFS) include(header string) *included {
	f.mu.Lock()
	i := f.included[header]
	f.mu.Unlock()
	if i != nil {
		return i
	}
	i = new(included)
	content, name, err := f.find(header)
	if i.err = err; err == nil {
		i.found = true
		i.src, i.err = readSource(name, content, false)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if first := f.included[header]; first != nil {
		return first // another goroutine was faster, and there is to be one only
	}
	f.included[header] = i
	return i
}

// includeNext returns the header of that name that stands behind a file in the
// order of the search.
func (f *archFS) includeNext(header string, behind *source) *included {
	_, own := f.own(header)
	if behind.name != own {
		return &included{}
	}
	content, name, err := f.s.read(f.a, header)
	i := &included{err: err, found: err == nil}
	if i.found {
		i.src, i.err = readSource(name, content, false)
	}
	return i
}

// look returns the header that a file includes, and its name for the others
// that it includes in quotes.
func (p *preprocessor) look(name string, quoted, next bool) (header string, _ *included) {
	now := p.now()
	if next && now.header == name {
		return name, p.f.includeNext(name, now.src)
	}
	if quoted {
		beside := path.Join(path.Dir(now.header), name)
		if i := p.known(beside); i.found {
			return beside, i
		}
	}
	name = path.Clean(name)
	return name, p.known(name)
}

// known returns a header by its name: the one that is preprocessed, if it is
// that.
func (p *preprocessor) known(header string) *included {
	if header == p.header {
		return &included{src: p.src, found: true}
	}
	return p.f.include(header)
}
