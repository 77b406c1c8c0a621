// Edition brings this project's edition of the Linux UAPI headers up to those
// of a newer kernel. It is what make kernel runs.
//
// Usage:
//
//	go run ./gen/edition -sysroot DIR [flags] HEADER...
//
// HEADER is named as in #include <...>. The flags are:
//
//	-sysroot DIR
//		the include root of the newer kernel, as the command gen takes it: from
//		a kernel's make headers_install, or a distribution's package
//	-headers DIR
//		the edition (default: headers)
//	-arch LIST
//		the GOARCHes whose headers DIR has, separated by commas, or "all", the
//		default; what others would make of DIR is not looked at
//	-older
//		go back to a tree that is older than the edition
//
// It prints what is new, changed and gone, and brings the edition's headers and
// its linux/version.h up to it. A new declaration is put where those of its
// family are or, where there are none, at the end. What has a comment keeps it;
// what is new gets one with the tree's release, which is to be corrected if an
// earlier one brought the symbol, and with a marker in the place of the
// sentence that a person has yet to write. Nothing of the tree's comments is
// taken over.
//
// The result is the tree's interface, on every architecture, or nothing is
// written: what Edition cannot declare, as a constant that only some
// architectures have, it names, to be declared by hand before it is run again.
// A new symbol of which the name in Go is another's gets the name that the
// command gen gives it, and is told of; but no symbol that was there loses its
// name to a new one, and no two headers declare one name.
// Of a header that the edition has only a part of (headers.Parts), the rest is
// not looked at.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/gen/internal/replace"
	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/internal/abi"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if err == flag.ErrHelp {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "edition:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("edition", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: edition -sysroot DIR [flags] HEADER...   (for example: edition -sysroot /usr/include linux/userfaultfd.h)")
		f.PrintDefaults()
	}
	sysroot := f.String("sysroot", "", "include root `DIR` of the newer kernel")
	dir := f.String("headers", "headers", "`DIR` of the edition")
	arches := f.String("arch", "all", "GOARCH `LIST`, or all")
	older := f.Bool("older", false, "go back to an older release")
	if err := f.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if *sysroot == "" || f.NArg() == 0 {
		fmt.Fprintln(stderr, "edition: no -sysroot, or no header named")
		f.Usage()
		return flag.ErrHelp
	}
	tree, err := cheader.OpenSysroot(*sysroot)
	if err != nil {
		return err
	}
	e := &edition{dir: *dir, files: os.DirFS(*dir), changed: map[string]string{}, arches: cheader.Arches()}
	if *arches != "all" {
		e.arches = strings.Split(*arches, ",")
	}
	is, was := tree.Release(), e.sysroot().Release()
	switch {
	case is == "":
		return fmt.Errorf("%s does not say of which release it is: it has no linux/version.h", *sysroot)
	case abi.Older(is, was) && !*older:
		return fmt.Errorf("%s is of Linux %s, %s of %s: what came since would be gone; with -older it goes nevertheless", *sysroot, is, *dir, was)
	}
	fmt.Fprintf(stdout, "%s: Linux %s -> %s, from %s\n", *dir, was, is, *sysroot)
	for _, header := range f.Args() {
		changes, err := e.bringUp(header, tree, *sysroot)
		if err != nil {
			return fmt.Errorf("%w\nnothing was written", err)
		}
		for _, c := range changes {
			fmt.Fprintf(stdout, "%s: %s\n", header, c)
		}
		if len(changes) == 0 {
			fmt.Fprintf(stdout, "%s: the same\n", header)
		}
	}
	if err := e.oneNameEach(f.Args()); err != nil {
		return fmt.Errorf("%w\nnothing was written", err)
	}
	if is != was {
		e.changed["linux/version.h"] = versionHeader(is)
	}
	if err := e.write(); err != nil {
		return err
	}
	return e.tellUndescribed(stdout, is, f.Args())
}

// tellUndescribed says what a person has yet to do.
func (e *edition) tellUndescribed(w io.Writer, release string, names []string) error {
	var all []string
	for _, header := range names {
		m, err := cheader.Parse(e.sysroot(), e.sysroot(), e.arches[0], header)
		if err != nil {
			return err
		}
		all = append(all, m.Undescribed(headers.Undescribed)...)
	}
	for _, symbol := range all {
		fmt.Fprintf(w, "%s is to be described\n", path.Join(filepath.ToSlash(e.dir), symbol))
	}
	if len(all) > 0 {
		fmt.Fprintf(w, "%d sentences are to be written in the place of %q, and a release other than %s where that brought the symbol\n",
			len(all), headers.Undescribed, release)
	}
	return nil
}

// An edition is a directory of headers in our form, with what has changed of
// them and is not yet written.
type edition struct {
	dir     string
	files   fs.FS
	changed map[string]string // text by name
	arches  []string
}

// Open implements fs.FS.
func (e *edition) Open(name string) (fs.File, error) { return e.files.Open(name) }

// ReadFile implements fs.ReadFileFS.
func (e *edition) ReadFile(name string) ([]byte, error) {
	if text, ok := e.changed[name]; ok {
		return []byte(text), nil
	}
	return fs.ReadFile(e.files, name)
}

// sysroot returns the edition as the parser takes it.
func (e *edition) sysroot() *cheader.Sysroot { return cheader.NewSysroot(filepath.ToSlash(e.dir), e) }

// parse returns the models of a header in a tree, as far as it is our part.
func (e *edition) parse(tree *cheader.Sysroot, header string, arches []string) ([]*abi.Model, error) {
	part, err := regexp.Compile(headers.Parts[header])
	if err != nil {
		return nil, err
	}
	var models []*abi.Model
	for _, arch := range arches {
		m, err := cheader.Parse(tree, e.sysroot(), arch, header)
		var missing *cheader.ArchError
		if errors.As(err, &missing) {
			return nil, fmt.Errorf("%w; use -arch %s", err, strings.Join(missing.Have, ","))
		}
		if err != nil {
			return nil, err
		}
		models = append(models, m.Only(part.MatchString))
	}
	return models, nil
}

// bringUp changes a header to what the tree has, and returns what that is.
func (e *edition) bringUp(header string, tree *cheader.Sysroot, sysroot string) ([]string, error) {
	before, err := e.parse(e.sysroot(), header, cheader.Arches())
	if err != nil {
		return nil, err
	}
	old := only(before, e.arches)
	new, err := e.parse(tree, header, e.arches)
	if err != nil {
		return nil, err
	}
	changes := abi.Changes(old, new)
	if len(changes) == 0 {
		return nil, nil
	}
	ours, err := e.ReadFile(header)
	if err != nil {
		return nil, err
	}
	theirs, err := os.ReadFile(filepath.Join(sysroot, header))
	if err != nil {
		return nil, err
	}
	known, err := e.words()
	if err != nil {
		return nil, err
	}
	text, err := newUpdate(header, tree.Release(), old, new, newSource(string(ours)), newSource(string(theirs)), known).text()
	if err != nil {
		return nil, err
	}
	e.changed[header] = text
	got, err := e.parse(e.sysroot(), header, cheader.Arches())
	if err != nil {
		return nil, fmt.Errorf("what %s declares is not understood among these headers: %w", sysroot, err)
	}
	renamed, err := renamings(header, before, got)
	if err != nil {
		return nil, err
	}
	if differ := abi.Changes(new, only(got, e.arches)); len(differ) > 0 {
		return nil, fmt.Errorf("%s cannot be brought up to %s; this is to be changed by hand:\n%s", header, sysroot, strings.Join(differ, "\n"))
	}
	return append(changes, renamed...), nil
}

// only returns the models of some architectures, in their order.
func only(models []*abi.Model, arches []string) []*abi.Model {
	var some []*abi.Model
	for _, arch := range arches {
		for _, m := range models {
			if m.Arch == arch {
				some = append(some, m)
			}
		}
	}
	return some
}

// words returns every identifier in the code of the edition, and those of C.
func (e *edition) words() (map[string]bool, error) {
	all := map[string]bool{}
	for w := range strings.FieldsSeq("struct union enum sizeof char short int long signed unsigned void float double const volatile " +
		"__attribute__ packed __packed__ aligned __aligned__ __signed__ __extension__ if ifdef ifndef elif else endif defined") {
		all[w] = true
	}
	return all, fs.WalkDir(e.files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".h" {
			return err
		}
		text, err := e.ReadFile(name)
		if err != nil {
			return err
		}
		for _, w := range words(quotedText.ReplaceAllString(newSource(string(text)).code, "")) {
			all[w] = true
		}
		return nil
	})
}

var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)

// write puts the changed headers in the place of the old ones, all or none.
func (e *edition) write() error {
	var files []replace.File
	for name, text := range e.changed {
		files = append(files, replace.File{Path: filepath.Join(e.dir, filepath.FromSlash(name)), Content: []byte(text)})
	}
	return replace.All(files)
}

// versionHeader returns what linux/version.h is for a release.
func versionHeader(release string) string {
	var major, minor int
	fmt.Sscanf(release, "%d.%d", &major, &minor) // it came from a number
	return fmt.Sprintf("/* The Linux release that this edition of the headers describes. */\n\n"+
		"#define LINUX_VERSION_CODE %d /* %d.%d.0: %[2]d << 16 | %[3]d << 8 */\n", major<<16|minor<<8, major, minor)
}
