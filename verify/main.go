// Verify holds the bindings against oracles that share no code with the
// generator: it prints what was compared with what, and fails where a value
// differs or an oracle could not be asked.
//
//	go run ./verify [-install]
//
// It is run from the module's root. -install installs missing compilers with
// apt-get.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/cc"
)

// sources are the generated files: the header that they come from, and their
// stem.
var sources = []struct{ header, stem string }{
	{"linux/userfaultfd.h", "zuffd"},
	{"linux/fs.h", "zpagemap"},
}

// arches are the architectures whose files are committed.
var arches = []string{"386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"}

func main() {
	install := flag.Bool("install", false, "install missing compilers with apt-get")
	flag.Parse()
	if err := run(os.Stdout, *install); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

// A result is what one oracle said of one set of values.
type result struct {
	oracle   string
	subject  string
	compared int
	wrong    []string
	unasked  string // why the oracle could not be asked
}

func run(w io.Writer, install bool) error {
	models, err := models()
	if err != nil {
		return err
	}
	if err := ensureCompilers(w, install); err != nil {
		return err
	}
	var results []result
	for _, m := range models {
		results = append(results, askCompiler(m), askGo(m))
	}
	return report(w, results)
}

// models runs the generator for what it claims.
func models() ([]*abi.Model, error) {
	var all []*abi.Model
	for _, s := range sources {
		cmd := exec.Command("go", "run", "./gen", "-json", "-arch", strings.Join(arches, ","), s.header)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go run ./gen -json: %w\n%s", err, stderr.Bytes())
		}
		for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
			m := new(abi.Model)
			if err := d.Decode(m); err != nil {
				return nil, fmt.Errorf("the generator's JSON: %w", err)
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// ensureCompilers installs the compilers that are missing, if it may.
func ensureCompilers(w io.Writer, install bool) error {
	var missing []string
	for _, arch := range arches {
		if c, ok := cc.For(arch); ok && !c.Installed() {
			missing = append(missing, c.Package)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if !install {
		return fmt.Errorf("compilers are missing: run 'apt-get install %s', or 'go run ./verify -install' as root", strings.Join(missing, " "))
	}
	fmt.Fprintf(w, "installing %s\n", strings.Join(missing, " "))
	for _, args := range [][]string{{"update", "-q"}, append([]string{"install", "-y", "-q", "--no-install-recommends"}, missing...)} {
		if out, err := exec.Command("apt-get", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// askCompiler holds a model against the architecture's C compiler.
func askCompiler(m *abi.Model) result {
	c, ok := cc.For(m.Arch)
	r := result{oracle: "C compiler", subject: "model of " + m.Header + ", " + m.Arch}
	if !ok {
		r.unasked = "there is no compiler for " + m.Arch
		return r
	}
	r.oracle = c.Command[0]
	compared, wrong, err := c.Compare(m, []string{"headers"})
	if err != nil {
		r.unasked = err.Error()
	}
	r.compared = compared
	for _, d := range wrong {
		r.wrong = append(r.wrong, d.String())
	}
	return r
}

// askGo holds a generated file, as Go's type checker lays it out, against the
// model that a compiler has confirmed.
func askGo(m *abi.Model) result {
	path := ""
	for _, s := range sources {
		if s.header == m.Header {
			path = fmt.Sprintf("%s_linux_%s.go", s.stem, m.Arch)
		}
	}
	r := result{oracle: "go/types", subject: path}
	p, err := bindings.Load(path, m.Arch)
	if err != nil {
		r.wrong = []string{err.Error()}
		return r
	}
	r.compared, r.wrong = p.Compare(m)
	return r
}

// report prints the results and returns an error unless all is well.
func report(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "oracle\tsubject\tcompared\tdisagree")
	compared, wrong, unasked := 0, 0, 0
	for _, r := range results {
		state := fmt.Sprint(len(r.wrong))
		if r.unasked != "" {
			state = "not asked"
			unasked++
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", r.oracle, r.subject, r.compared, state)
		compared += r.compared
		wrong += len(r.wrong)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		for _, line := range r.wrong {
			fmt.Fprintf(w, "%s, %s: %s\n", r.oracle, r.subject, line)
		}
		if r.unasked != "" {
			fmt.Fprintf(w, "%s, %s: not asked: %s\n", r.oracle, r.subject, r.unasked)
		}
	}
	fmt.Fprintf(w, "%d values compared, %d disagree, %d oracles not asked\n", compared, wrong, unasked)
	if wrong > 0 || unasked > 0 {
		return fmt.Errorf("the bindings are not verified")
	}
	return nil
}
