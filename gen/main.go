// Gen generates Go bindings from a C header of the Linux UAPI: constants,
// ioctl numbers and struct layouts, for each architecture, without a C
// compiler.
//
// Usage:
//
//	go run ./gen [flags] HEADER...
//
// HEADER is named as in #include <...>: linux/userfaultfd.h. The flags are:
//
//	-sysroot DIR
//		the include root, which holds linux/ and, for each architecture,
//		asm/ itself, <triplet>/asm, or Debian's ../lib/linux/uapi/<arch>/asm;
//		a kernel's own headers are as good as this project's (default: this
//		project's, which the command carries)
//	-arch LIST
//		GOARCHes, separated by commas, or "all" (default: amd64,arm64)
//	-pkg NAME
//		the package clause (default: uffd)
//	-o DIR
//		where the files go (default: .)
//	-name NAME
//		the files' stem: zNAME_linux_GOARCH.go (default: the package's name)
//	-older
//		write the files although DIR is of an older release than this
//		project's headers, and lacks what came since
//	-json
//		print the model instead, a JSON object a line for each architecture
//	-check
//		write nothing; exit with 1 and a unified diff where files differ; name
//		what this project's headers do not describe yet
//	-undescribed
//		write nothing; exit with 1 and the names of what this project's headers
//		do not describe yet
//	-diff OLDSYSROOT
//		print what was added, removed or changed since OLDSYSROOT, a line each
//
// At most one of -json, -check, -undescribed and -diff is given.
//
// The documentation in the files is always that of this project's own headers,
// whichever headers are read: where those declare the same, the files are the
// same. Symbols that this project does not describe come without.
//
// Every macro of the headers is a constant in the files or is listed as left
// out, with the reason. The files are replaced all together or not at all.
// Gen exits with 1 on an error, which leaves every file as it was, and with 2
// where the command line is wrong.
//
// The JSON model has C names and decimal numbers of up to 64 bits:
//
//	{"arch": "arm64", "header": "linux/userfaultfd.h", "release": "7.3",
//	 "constants": [{"name": "UFFDIO_POISON", "value": 3223366152, "since": "6.6", "line": 414}],
//	 "structs": [{"name": "uffdio_poison", "size": 32, "align": 8, "fields":
//	   [{"name": "range", "offset": 0, "size": 16, "type": "struct uffdio_range",
//	     "since": "6.6", "line": 818}], "since": "6.6", "line": 816}],
//	 "ioctls": [{"name": "UFFDIO_POISON", "dir": "rw", "type": 170, "nr": 8,
//	   "size": 32, "struct": "uffdio_poison"}]}
//
// Sizes, alignments and offsets are in bytes. A union is a struct with
// "union": true. A bit-field has "bit_offset", counted from its offset, and
// "bit_size". A type without a tag is named by the designator that reaches it:
// "uffd_msg.arg.pagefault". "release" is that of the tree that was read, "since"
// that which brought the symbol, as this project's own headers say, and "line"
// where it is declared in the tree; package internal/abi says more.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/token"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/internal/abi"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if err == flag.ErrHelp {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	sysroot string
	arches  []string
	pkg     string
	dir     string
	name    string
	json    bool
	check   bool
	diff    string
	older   bool
	todo    bool
	headers []string
}

func parseFlags(args []string, stderr io.Writer) (*options, error) {
	var o options
	var arches string
	f := flag.NewFlagSet("gen", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: gen [flags] HEADER...   (for example: gen linux/userfaultfd.h)")
		f.PrintDefaults()
	}
	f.StringVar(&o.sysroot, "sysroot", "", "include root `DIR` (default this project's own headers)")
	f.StringVar(&arches, "arch", "amd64,arm64", "GOARCH `LIST`, or all")
	f.StringVar(&o.pkg, "pkg", "uffd", "package clause `NAME`")
	f.StringVar(&o.dir, "o", ".", "output `DIR`")
	f.StringVar(&o.name, "name", "", "file stem `NAME` (default the package's)")
	f.BoolVar(&o.older, "older", false, "write files of a release older than this project's headers")
	f.BoolVar(&o.json, "json", false, "print the ABI model as JSON")
	f.BoolVar(&o.check, "check", false, "compare with the files on disk, write nothing")
	f.BoolVar(&o.todo, "undescribed", false, "name what is not described yet, write nothing")
	f.StringVar(&o.diff, "diff", "", "print the changes since `OLDSYSROOT`")
	if err := f.Parse(args); err != nil {
		return nil, flag.ErrHelp
	}
	o.headers = f.Args()
	o.arches = strings.Split(arches, ",")
	if arches == "all" {
		o.arches = cheader.Arches()
	}
	if o.name == "" {
		o.name = o.pkg
	}
	if wrong := o.wrong(); wrong != "" {
		fmt.Fprintln(stderr, "gen:", wrong)
		f.Usage()
		return nil, flag.ErrHelp
	}
	return &o, nil
}

// wrong says what is wrong with the command line.
func (o *options) wrong() string {
	if len(o.headers) == 0 {
		return "no header named"
	}
	for i, arch := range o.arches {
		if slices.Contains(o.arches[:i], arch) {
			return fmt.Sprintf("-arch names %s twice", arch)
		}
	}
	if !token.IsIdentifier(o.pkg) || o.pkg == "_" {
		return fmt.Sprintf("-pkg: %q is not a Go package name", o.pkg)
	}
	var instead []string
	for _, f := range []struct {
		name string
		set  bool
	}{{"-json", o.json}, {"-check", o.check}, {"-undescribed", o.todo}, {"-diff", o.diff != ""}} {
		if f.set {
			instead = append(instead, f.name)
		}
	}
	if len(instead) > 1 {
		return strings.Join(instead, " and ") + " exclude each other"
	}
	return ""
}

func run(args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	models, err := o.parse(o.sysroot)
	if err != nil {
		return err
	}
	switch {
	case o.json:
		return printJSON(stdout, models)
	case o.todo:
		if printUndescribed(stdout, o.sysroot, models) > 0 {
			return errors.New("these symbols have no documentation yet")
		}
		return nil
	case o.diff != "":
		old, err := o.parse(o.diff)
		if err != nil {
			return err
		}
		perHeader := len(o.arches)
		for i := 0; i < len(models); i += perHeader {
			for _, line := range abi.Changes(old[i:i+perHeader], models[i:i+perHeader]) {
				fmt.Fprintln(stdout, line)
			}
		}
		return nil
	}
	files, err := o.render(models)
	if err != nil {
		return err
	}
	if o.check {
		if o.sysroot == "" {
			printUndescribed(stdout, o.sysroot, models)
		}
		return checkFiles(stdout, files)
	}
	if err := o.refuseOlder(models); err != nil {
		return err
	}
	if err := writeFiles(files); err != nil {
		return err
	}
	return summarize(stdout, cmp.Or(o.sysroot, "headers"), models, files)
}

// ours are this project's own headers.
var ours = cheader.NewSysroot("headers", headers.FS)

// refuseOlder is an error if the files would lose what newer headers have that
// this project describes.
func (o *options) refuseOlder(models []*abi.Model) error {
	for _, m := range models {
		if !o.older && abi.Older(m.Release, ours.Release()) && ours.Has(m.Header) {
			return fmt.Errorf("%s is of Linux %s, this project's headers of %s: the files would lose what came since; with -older they are written nevertheless",
				o.sysroot, m.Release, ours.Release())
		}
	}
	return nil
}

// printUndescribed prints what of the headers is not described, and returns how
// much that is.
func printUndescribed(w io.Writer, sysroot string, models []*abi.Model) int {
	seen := map[string]bool{}
	for _, m := range models {
		for _, symbol := range m.Undescribed(headers.Undescribed) {
			if !seen[symbol] {
				fmt.Fprintf(w, "%s is not described yet\n", path.Join(cmp.Or(sysroot, "headers"), symbol))
			}
			seen[symbol] = true
		}
	}
	return len(seen)
}

// parse returns the model of every header for every architecture, those of
// one header together.
func (o *options) parse(dir string) ([]*abi.Model, error) {
	sysroot := ours
	if dir != "" {
		var err error
		if sysroot, err = cheader.OpenSysroot(dir); err != nil {
			return nil, err
		}
	}
	var models []*abi.Model
	for _, header := range o.headers {
		for _, arch := range o.arches {
			m, err := cheader.Parse(sysroot, ours, arch, header)
			var missing *cheader.ArchError
			if errors.As(err, &missing) {
				return nil, fmt.Errorf("%w; use -arch %s", err, strings.Join(missing.Have, ","))
			}
			if err != nil {
				return nil, err
			}
			models = append(models, m)
		}
	}
	return models, nil
}

func printJSON(w io.Writer, models []*abi.Model) error {
	e := json.NewEncoder(w)
	for _, m := range models {
		if err := e.Encode(m); err != nil {
			return err
		}
	}
	return nil
}
