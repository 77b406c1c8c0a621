// Package cheader is the generator's C side: it parses a C header for one
// architecture and builds the [abi.Model] of what the header declares.
//
// The parser is modernc.org/cc/v4, in Go: no compiler of the host is run, and
// no file outside the sysroot is read. Layout is computed here (layout.go),
// because the parser passes over __attribute__((packed)).
package cheader

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/zuffd/uffd/internal/abi"
	"modernc.org/cc/v4"
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

func parse(sysroot, docs *Sysroot, a arch, header string) (m *abi.Model, err error) {
	files := &archFS{s: sysroot, a: a, included: map[string]bool{}}
	content, name, err := sysroot.read(a, header)
	if err != nil {
		return nil, fmt.Errorf("no such header: %w", err)
	}
	if err := checkNesting(name, content); err != nil {
		return nil, err
	}
	// The parser reports its own defects by panicking.
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("%s: the C parser failed: %v", name, r)
		}
	}()
	ast, err := translate(files, a, header)
	if err != nil {
		return nil, err
	}
	if err := checkArch(ast, sysroot, a); err != nil {
		return nil, err
	}
	described := describe(docs, a, header)
	b := &builder{
		ast:      ast,
		root:     sysroot.name,
		file:     path.Join(sysroot.name, header),
		specs:    specifiers(ast),
		docs:     described,
		byType:   map[cc.Type]*abi.Struct{},
		building: map[cc.Type]bool{},
	}
	m = &abi.Model{Arch: a.name, Header: header, Release: sysroot.Release()}
	if err := b.constants(m, a, string(content)); err != nil {
		return nil, err
	}
	if err := b.structs(m); err != nil {
		return nil, err
	}
	described.sort(m)
	return m, nil
}

// translate runs the parser over the header, with linux/ioctl.h before it:
// kernel headers use its macros without including it.
func translate(files *archFS, a arch, header string) (*cc.AST, error) {
	cabi, err := cc.NewABI("linux", a.name)
	if err != nil {
		return nil, fmt.Errorf("the C parser: %w", err)
	}
	// Where a declaration breaks off at the end of the text, the parser looks
	// for a name or a bracket and never finds one; here they are.
	include := fmt.Sprintf("#include <%s>\nextern int end_of_header[1];\n", header)
	if _, _, err := files.s.read(a, "linux/ioctl.h"); err == nil {
		include = "#include <linux/ioctl.h>\n" + include
	}
	cfg := &cc.Config{
		ABI:             cabi,
		FS:              files,
		FSOnly:          true,
		IncludePaths:    []string{"@", files.s.name},
		SysIncludePaths: []string{files.s.name},
		EvalAllMacros:   true,
		Header:          true,
		ExpansionLimit:  maxExpansion,
	}
	ast, err := cc.Translate(cfg, []cc.Source{
		{Name: "<predefined>", Value: a.predefined(cabi.ByteOrder.String() == "BigEndian")},
		{Name: "<" + header + ">", Value: include},
	})
	if files.hostile != nil {
		return nil, files.hostile
	}
	if err != nil {
		return nil, explain(err, files)
	}
	return ast, nil
}

// explain keeps the first of the parser's errors, which the others follow
// from, and says which include was missing for whom.
func explain(err error, files *archFS) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	first = strings.TrimSuffix(strings.TrimSpace(first), ":")
	if !strings.Contains(first, "include file not found") {
		return errors.New(first)
	}
	var looked []string
	for _, m := range files.missing {
		for _, p := range files.s.places(files.a, m) {
			looked = append(looked, p.name)
		}
	}
	slices.Sort(looked)
	err = fmt.Errorf("%s (for %s; looked for %s)", first, files.a.name, strings.Join(slices.Compact(looked), ", "))
	for _, m := range files.missing {
		if have := files.s.arches(m); len(have) > 0 {
			return &ArchError{Arch: files.a.name, Have: have, err: err}
		}
	}
	return err
}

var _ fs.FS = (*archFS)(nil)
