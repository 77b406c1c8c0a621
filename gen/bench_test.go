package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

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
