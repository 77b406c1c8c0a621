package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/gen/internal/golang"
	"github.com/zuffd/uffd/headers"
)

// BenchmarkArchitecture regenerates one architecture, beside cgo -godefs doing
// the same work with the machine's own C compiler and kernel headers.
func BenchmarkArchitecture(b *testing.B) {
	b.Run("gen", func(b *testing.B) {
		b.ReportAllocs()
		s := cheader.NewSysroot("headers", headers.FS)
		for b.Loop() {
			m, err := cheader.Parse(s, s, "amd64", "linux/userfaultfd.h")
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := golang.Render(m, "uffd"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cgo -godefs", func(b *testing.B) {
		if _, err := exec.LookPath("gcc"); err != nil {
			b.Skip("gcc is not installed")
		}
		dir := b.TempDir()
		src := filepath.Join(dir, "types.go")
		if err := os.WriteFile(src, []byte(godefs), 0o644); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			cmd := exec.Command("go", "tool", "cgo", "-godefs", src)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOARCH=amd64", "GOOS=linux", "CGO_ENABLED=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	})
}

// BenchmarkDeclarations reads headers of three sizes: what a declaration costs
// is to be the same in all of them.
func BenchmarkDeclarations(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var text strings.Builder
			for i := range n / 4 {
				fmt.Fprintf(&text, "#define CONSTANT_%d (%d << 2)\nstruct s_%d { int a; char b[%d]; };\nenum e_%d { E_%d };\ntypedef struct s_%d *t_%d;\n", i, i, i, i%100+1, i, i, i, i)
			}
			s := cheader.NewSysroot("large", fstest.MapFS{"large.h": {Data: []byte(text.String())}})
			b.ReportAllocs()
			for b.Loop() {
				m, err := cheader.Parse(s, nil, "amd64", "large.h")
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := golang.Render(m, "large"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/declaration")
		})
	}
}

// BenchmarkHeaders makes bindings of each of this machine's kernel headers that
// can be read alone: by a process for each, of which the median and the longest
// time on a processor are told; and of all in one run. The sweep of verify tells
// the memory, too.
func BenchmarkHeaders(b *testing.B) {
	const sysroot = "/usr/include"
	command := filepath.Join(b.TempDir(), "gen")
	if out, err := exec.Command("go", "build", "-o", command, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	all, err := fs.Glob(os.DirFS(sysroot), "linux/*.h")
	if err != nil || len(all) == 0 {
		b.Skip("no kernel headers in " + sysroot)
	}
	generate := func(args ...string) (*os.ProcessState, error) {
		cmd := exec.Command(command, append([]string{"-sysroot", sysroot, "-older", "-arch", runtime.GOARCH, "-o", b.TempDir()}, args...)...)
		err := cmd.Run()
		return cmd.ProcessState, err
	}
	headers := slices.DeleteFunc(all, func(header string) bool {
		_, err := generate(header)
		return err != nil
	})
	b.Run("a process for each", func(b *testing.B) {
		var times []time.Duration
		for b.Loop() {
			for _, header := range headers {
				p, err := generate(header)
				if err != nil {
					b.Fatal(err)
				}
				times = append(times, p.UserTime()+p.SystemTime())
			}
		}
		slices.Sort(times)
		b.ReportMetric(times[len(times)/2].Seconds()*1e3, "median-ms")
		b.ReportMetric(times[len(times)-1].Seconds()*1e3, "longest-ms")
		b.ReportMetric(float64(len(headers)), "headers")
	})
	b.Run("one run for all", func(b *testing.B) {
		for b.Loop() {
			if _, err := generate(append([]string{"-json"}, headers...)...); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(headers)), "headers")
	})
}

// godefs asks for what Debian 12's headers have of the structs and requests.
const godefs = `package uffd

// #include <linux/userfaultfd.h>
// #include <linux/ioctl.h>
import "C"

type UffdMsg C.struct_uffd_msg
type UffdioApi C.struct_uffdio_api
type UffdioRange C.struct_uffdio_range
type UffdioRegister C.struct_uffdio_register
type UffdioCopy C.struct_uffdio_copy
type UffdioZeropage C.struct_uffdio_zeropage
type UffdioWriteprotect C.struct_uffdio_writeprotect
type UffdioContinue C.struct_uffdio_continue

const (
	UFFDIO_API = C.UFFDIO_API
	UFFDIO_REGISTER = C.UFFDIO_REGISTER
	UFFDIO_UNREGISTER = C.UFFDIO_UNREGISTER
	UFFDIO_WAKE = C.UFFDIO_WAKE
	UFFDIO_COPY = C.UFFDIO_COPY
	UFFDIO_ZEROPAGE = C.UFFDIO_ZEROPAGE
	UFFDIO_WRITEPROTECT = C.UFFDIO_WRITEPROTECT
	UFFDIO_CONTINUE = C.UFFDIO_CONTINUE
)
`
