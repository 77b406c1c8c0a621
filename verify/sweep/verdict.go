package main

import (
	"bytes"
	"encoding/json"
	"errors"
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

// A finding is what came of a header.
type finding string

const (
	skipped finding = "" // the compiler does not take it alone
	right   finding = "right"
	refused finding = "refused" // by the generator
	notGo   finding = "not Go"  // what the generator made of it does not compile
	wrong   finding = "wrong"   // a fact differs from the compiler's, or is missing
)

// A verdict is what is found of one header.
type verdict struct {
	header                 string
	model                  *abi.Model // the generator's
	finding                finding
	why                    string        // it is not right
	facts, ioctls, omitted int           // as its model states; macros are omitted with their reasons
	time                   time.Duration // of the generator, for Go
	megabytes              float64       // of the generator at its most
}

// generate runs the generator over a header that the compiler takes alone, in a
// directory of its own.
func (t *tree) generate(v *verdict, gen, scratch string) error {
	if t.header(v.header).Refused() != nil {
		return nil
	}
	dir, err := os.MkdirTemp(scratch, "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command(gen, "-sysroot", t.Sysroot, "-older", "-arch", t.Go, "-pkg", "swept", "-o", dir, v.header)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err = cmd.Run(); err != nil && !errors.As(err, &exit) {
		return err
	}
	v.time = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	v.megabytes = float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
	v.finding = right
	if err != nil {
		v.finding, v.why = refused, strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(stderr.String(), "gen: ")), t.Sysroot+"/", "")
	} else if _, err := bindings.Load(filepath.Join(dir, "zswept_linux_"+t.Go+".go"), t.Go); err != nil {
		v.finding, v.why = notGo, err.Error()
	}
	return nil
}

// models has one run of the generator make the models of all headers that it
// accepted, and returns how long that took.
func (t *tree) models(gen string, accepted []*verdict) (time.Duration, error) {
	if len(accepted) == 0 {
		return 0, nil
	}
	args := []string{"-json", "-sysroot", t.Sysroot, "-arch", t.Go}
	byHeader := map[string]*verdict{}
	for _, v := range accepted {
		args = append(args, v.header)
		byHeader[v.header] = v
	}
	start := time.Now()
	out, err := exec.Command(gen, args...).Output()
	if err != nil {
		return 0, fmt.Errorf("the generator makes Go of each of %d headers, and no models of all: %w", len(accepted), err)
	}
	took := time.Since(start)
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		m := new(abi.Model)
		if err := d.Decode(m); err != nil {
			return 0, fmt.Errorf("the generator's JSON: %w", err)
		}
		byHeader[m.Header].model = m
	}
	return took, nil
}

// judge holds the model of a header against the compiler.
func (t *tree) judge(v *verdict) error {
	if v.model == nil {
		return fmt.Errorf("%s: the generator made Go of it, and no model", v.header)
	}
	compared, lines, err := compare(t.header(v.header), v.model)
	if err != nil {
		return fmt.Errorf("%s: %w", v.header, err)
	}
	v.facts, v.ioctls, v.omitted = compared, len(v.model.Ioctls), len(v.model.Omitted)
	if len(lines) > 0 {
		v.finding, v.why = wrong, fmt.Sprintf("%d: %s", len(lines), strings.Join(lines[:min(len(lines), 8)], "\n    "))
	}
	return nil
}
