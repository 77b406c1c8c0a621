package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
)

// A verdict is what came of one header.
type verdict struct {
	header    string
	model     *abi.Model // the generator's
	skipped   error      // why the compiler does not take it alone
	refused   string     // why the generator does not
	broken    string     // why its Go does not compile
	wrong     []string   // what differs
	compared  int        // facts
	omitted   int        // macros left out, with their reasons
	ioctls    int
	time      time.Duration // of the generator, for Go
	megabytes float64       // of the generator at its most
	failure   error         // of the sweep itself
}

// models has one run of the generator make the models of all headers, and
// returns how long that took.
func (t *tree) models(gen string, all []*verdict) time.Duration {
	args := []string{"-json", "-sysroot", t.sysroot, "-arch", t.compiler.Go}
	byHeader := map[string]*verdict{}
	for _, v := range all {
		args = append(args, v.header)
		byHeader[v.header] = v
	}
	start := time.Now()
	out, err := exec.Command(gen, args...).Output()
	if err != nil {
		return 0
	}
	took := time.Since(start)
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		m := new(abi.Model)
		if d.Decode(m) != nil {
			break
		}
		byHeader[m.Header].model = m
	}
	return took
}

// generate runs the generator over a header, in a directory of its own.
func (t *tree) generate(v *verdict, gen, scratch string) {
	dir, err := os.MkdirTemp(scratch, "")
	if v.failure = err; err != nil {
		return
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command(gen, "-sysroot", t.sysroot, "-older", "-arch", t.compiler.Go, "-pkg", "swept", "-o", dir, v.header)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err = cmd.Run()
	v.time = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		v.megabytes = float64(usage.Maxrss) / 1024
	}
	if err != nil {
		v.refused = strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(stderr.String(), "gen: ")), t.sysroot+"/", "")
		v.skipped = t.header(v.header).Refused()
	} else if _, err := bindings.Load(filepath.Join(dir, "zswept_linux_"+t.compiler.Go+".go"), t.compiler.Go); err != nil {
		v.broken = err.Error()
	}
}

// accepted reports whether the generator has made something of the header.
func (v *verdict) accepted() bool { return v.failure == nil && v.refused == "" }

// try judges the model of a header.
func (t *tree) try(v *verdict) {
	if v.model == nil {
		v.failure = fmt.Errorf("the generator made Go of it, and no model")
		return
	}
	h := t.header(v.header)
	wrong, err := compare(h, v.model)
	if err != nil {
		if v.skipped = h.Refused(); v.skipped == nil {
			v.failure = err
		}
		return
	}
	v.wrong, v.compared, v.omitted, v.ioctls = wrong, count(v.model), len(v.model.Omitted), len(v.model.Ioctls)
}
