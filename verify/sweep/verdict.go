package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/zuffd/uffd/internal/abi"
)

// A verdict is what came of one header.
type verdict struct {
	header    string
	skipped   error    // why the compiler does not take it alone
	refused   string   // why the generator does not
	broken    string   // why its Go does not compile
	wrong     []string // what differs
	compared  int      // facts
	omitted   int      // macros left out, with their reasons
	ioctls    int
	time      time.Duration // of the generator, for Go
	megabytes float64       // of the generator at its most
	failure   error         // of the sweep itself
}

// models returns the models of all headers from one run of the generator, by
// header, and how long that took.
func (j *judge) models(gen string, headers []string) (map[string]*abi.Model, time.Duration) {
	all := map[string]*abi.Model{}
	start := time.Now()
	out, err := exec.Command(gen, append([]string{"-json", "-sysroot", j.sysroot, "-arch", j.compiler.Arch}, headers...)...).Output()
	if err != nil {
		return all, 0
	}
	took := time.Since(start)
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		m := new(abi.Model)
		if d.Decode(m) != nil {
			return all, took
		}
		all[m.Header] = m
	}
}

// generate runs the generator over a header, in a directory of its own.
func (j *judge) generate(gen, dir, header string) *verdict {
	v := &verdict{header: header}
	if v.failure = os.MkdirAll(dir, 0o755); v.failure != nil {
		return v
	}
	goFile := filepath.Join(dir, "zswept_linux_"+j.compiler.Arch+".go")
	os.Remove(goFile) // of another header, with which this one would be compared
	cmd := exec.Command(gen, "-sysroot", j.sysroot, "-older", "-arch", j.compiler.Arch, "-pkg", "swept", "-o", dir, header)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err := cmd.Run()
	v.time = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		v.megabytes = float64(usage.Maxrss) / 1024
	}
	if err != nil {
		v.refused = strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(stderr.String(), "gen: ")), j.sysroot+"/", "")
		v.skipped = j.refuses(header)
		return v
	}
	v.broken = compiles(goFile, j.compiler.Arch)
	return v
}

// accepted reports whether the generator has made something of the header.
func (v *verdict) accepted() bool { return v.failure == nil && v.refused == "" }

// try judges a model of a header.
func (j *judge) try(v *verdict, m *abi.Model, object string) {
	if m == nil {
		v.failure = fmt.Errorf("the generator made Go of it, and no model")
		return
	}
	c := claim(m)
	truth, err := j.truth(v.header, object, c)
	if err != nil {
		if v.skipped = j.refuses(v.header); v.skipped == nil {
			v.failure = err
		}
		return
	}
	v.compared, v.omitted, v.ioctls = len(c.facts), len(m.Omitted), len(m.Ioctls)
	v.wrong = c.differences(truth)
}

// refuses returns why the compiler does not take a header alone.
func (j *judge) refuses(header string) error {
	_, errs, err := j.run(preamble(header), "-fsyntax-only")
	if err != nil {
		return fmt.Errorf("%w: %s", err, errs)
	}
	return nil
}

// compiles returns what the Go compiler's type checker for an architecture has
// against a file.
func compiles(path, arch string) string {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err.Error()
	}
	config := types.Config{Sizes: types.SizesFor("gc", arch), Importer: standard{}}
	if _, err := config.Check("swept", fset, []*ast.File{file}, nil); err != nil {
		return err.Error()
	}
	return ""
}

// standard imports the one package that the bindings need beside unsafe.
type standard struct{}

func (standard) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if path != "structs" {
		return nil, fmt.Errorf("the bindings import %s", path)
	}
	return importer.ForCompiler(token.NewFileSet(), "source", nil).Import(path)
}
