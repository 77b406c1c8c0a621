// Package cheader is the generator's C side: it reads a C header for one
// architecture and builds the [abi.Model] of what the header declares.
//
// A header passes through the files of this package in this order. sysroot.go
// and archfs.go find it; source.go splits it into lines of tokens (scanner.go).
// preprocess.go goes through the lines: directive.go obeys directives,
// condition.go decides those of #if, expand.go expands macros. No compiler of
// the host is run and no file outside the sysroot is read. strip.go keeps from
// the parser what that would not keep for us: attributes, pragmas (pragma.go),
// assertions; parse.go has modernc.org/cc/v4 parse the rest. Nothing that the
// parser thinks of types or values is asked:
// declare.go, record.go and enum.go give every declaration its type and layout
// (package ctype), and every constant expression its value (package cexpr).
// model.go and macros.go make the model of it, docs.go documents it by the
// comments that were met on the way (comments.go).
package cheader

import (
	"fmt"
	"path"
	"time"

	"github.com/zuffd/uffd/internal/abi"
)

// Parse reads a header, named as in #include <...>, from a sysroot and returns
// its model for a GOARCH. Documentation and order come from docs, another
// sysroot, as far as that has the header and describes its symbols; symbols
// that it does not know follow in the order of the header. A nil docs is
// none.
//
// An error names the file and, where there is one, the line. Parse ends in
// bounded time whatever the headers hold.
func Parse(sysroot, docs *Sysroot, goarch, header string) (*abi.Model, error) {
	a, err := lookup(goarch)
	if err != nil {
		return nil, err
	}
	type result struct {
		model *abi.Model
		err   error
	}
	done := make(chan result, 1)
	go func() {
		m, err := parse(sysroot, docs, a, header)
		done <- result{m, err}
	}()
	select {
	case r := <-done:
		return r.model, r.err
	case <-time.After(parseDeadline):
		// The parser cannot be stopped; the caller is about to exit.
		return nil, fmt.Errorf("%s: not parsed after %v: does it include itself?", path.Join(sysroot.name, header), parseDeadline)
	}
}

func parse(sysroot, docs *Sysroot, a *arch, header string) (m *abi.Model, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("%s: the C parser failed: %v", path.Join(sysroot.name, header), r)
		}
	}()
	m, comments, err := model(sysroot, a, header)
	if err != nil {
		return nil, err
	}
	described := m
	switch {
	case docs == nil:
		return m, nil
	case docs != sysroot:
		if _, _, err := docs.read(a, header); err != nil {
			return m, nil // it does not have the header
		}
		if described, comments, err = model(docs, a, header); err != nil {
			return nil, err
		}
	}
	describe(described, comments).sort(m)
	return m, nil
}

// model returns the model of a header without documentation, and the header's
// comments.
func model(sysroot *Sysroot, a *arch, header string) (*abi.Model, []comment, error) {
	u, err := sysroot.forArch(a).preprocess(header)
	if err != nil {
		return nil, nil, err
	}
	stripped, err := strip(u.tokens)
	if err != nil {
		return nil, nil, err
	}
	tree, err := stripped.parse(a)
	if err != nil {
		return nil, nil, err
	}
	declared, err := declare(stripped, a, tree)
	if err != nil {
		return nil, nil, err
	}
	m := &abi.Model{Arch: a.name, Header: header, Release: sysroot.Release()}
	b := &builder{unit: u, scope: declared, root: sysroot.name, model: m, built: map[*record]*abi.Struct{}}
	if err := b.checkArch(a); err != nil {
		return nil, nil, err
	}
	return m, u.header.comments, b.build()
}
