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
//	-strict
//		write nothing if any symbol of the headers is left out, but for include
//		guards
//	-cc COMPILER
//		hold every value and layout against a C compiler for the one
//		architecture of -arch ("aarch64-linux-gnu-gcc"), print what it
//		contradicts, and write nothing if that is anything
//	-comments
//		take the comments of the headers themselves as documentation where this
//		project has none; they are their authors', so keep the files to yourself
//
// At most one of -json, -check, -undescribed and -diff is given.
//
// # A header of your own
//
// In a package of its own, with the kernel headers of this machine:
//
//	//go:generate go run github.com/zuffd/uffd/gen -sysroot /usr/include -arch amd64 -pkg kvm linux/kvm.h
//
// go generate writes zkvm_linux_amd64.go, which needs the standard library
// alone. The machine's headers may be of one architecture; those of Debian since
// 13 are of all, and -arch all gives a file for each. The C library's headers
// that kernel headers include are the sysroot's or, where that has none of the
// architecture, carried by the command.
//
//	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
//	...
//	version, _, errno := syscall.Syscall(syscall.SYS_IOCTL, kvm.Fd(), KVM_GET_API_VERSION, 0)
//
// testdata/examples has programs that do this to /dev/kvm and /dev/fuse. Several headers give one package: what they have alike is there once, and a
// constant that they do not agree on is left out.
//
// A package has what the named headers define, and the types that those need.
//
//   - A macro or an enumerator that is an integer is a constant, of the enum's
//     type if that has a name; a macro that is a string is one, too.
//   - An enum is the integer that C stores it as, a pointer is a uintptr (the
//     comment tells what to), long double is bytes, and an integer of 128 bits
//     two uint64 in the order of memory.
//   - A union is memory with a method for each member, which returns a pointer
//     to it. A bit-field has a method that returns it, and one that sets it.
//   - An array of no given length at the end of a struct is a method that
//     returns so many of its elements: the struct must lie in memory that has
//     them, as in the kernel's own examples.
//   - What Go would align otherwise than C is bytes.
//
// Names follow golang.org/x/sys/unix: a constant keeps its C name, struct
// kvm_regs is KvmRegs, its member rip is Rip; a name that begins with an
// underscore has an X before it, and $ is an underscore. Where two names would be one, the one that Go
// takes as it is has it, or else the one that the header declares first, and
// each other one gets an underscore at its end.
//
// # Exact, or refused
//
// Types are laid out as gcc does on the architecture, whatever attributes and
// #pragma pack do to them, and every constant expression is evaluated with
// those layouts. What is not known exactly is refused, with its place: a header
// that does not parse, an attribute that may change a layout and is not known,
// Go that does not compile. A symbol that has no meaning in Go (a macro with
// parameters, one that is no constant) is left out. The command prints each
// one, and each that has another name than the rule gives, with its file, its
// line and the reason.
//
// # Files
//
// The documentation in the files is that of this project's own headers,
// whichever headers are read: where those declare the same, the files are the
// same. Symbols that this project does not describe come without. The files
// are replaced all together or not at all. Gen exits with 1 on an error, which
// leaves every file as it was, and with 2 where the command line is wrong.
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
// where it is declared in the tree. "kind" is what a type is without its
// typedefs. "enums", "strings" and "omitted" list those, where there are any;
// package internal/abi says more.
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
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/internal/abi"
)

func main() {
	// A run is short, and most of what it allocates lives as long as it does.
	debug.SetGCPercent(400)
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
	strict  bool
	cc      string
	comment bool
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
	f.BoolVar(&o.strict, "strict", false, "write nothing if a symbol is left out")
	f.StringVar(&o.cc, "cc", "", "hold everything against a C `COMPILER`")
	f.BoolVar(&o.comment, "comments", false, "take the headers' own comments where this project has none")
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
	if o.cc != "" && len(o.arches) != 1 {
		return "-cc takes one architecture: the compiler's, named by -arch"
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
	if o.cc != "" {
		if err := o.askCompiler(stderr, models); err != nil {
			return err
		}
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
	if o.strict {
		if err := refuseOmissions(stdout, files); err != nil {
			return err
		}
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
	sysroot, err := o.open(dir)
	if err != nil {
		return nil, err
	}
	models := make([]*abi.Model, len(o.headers)*len(o.arches))
	err = each(len(models), func(i int) (err error) {
		header, arch := o.headers[i/len(o.arches)], o.arches[i%len(o.arches)]
		docs := ours
		if o.comment && !ours.Has(header) {
			docs = sysroot
		}
		models[i], err = cheader.Parse(sysroot, docs, arch, header)
		var missing *cheader.ArchError
		if errors.As(err, &missing) {
			return fmt.Errorf("%w; use -arch %s", err, strings.Join(missing.Have, ","))
		}
		return err
	})
	return models, err
}

// open returns the sysroot in a directory, or this project's own headers.
func (o *options) open(dir string) (*cheader.Sysroot, error) {
	if dir == "" {
		return ours, nil
	}
	return cheader.OpenSysroot(dir)
}

// each calls f with every number below n, as many at a time as there are
// processors, and returns the errors in the order of the numbers.
func each(n int, f func(i int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = f(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
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
