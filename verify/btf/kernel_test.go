package btf_test

import (
	"errors"
	"io/fs"
	"strconv"
	"testing"

	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/since"
)

// TestRunningKernel holds package uffd, as it is compiled into this program,
// against the running kernel. It needs nothing but the kernel, so that the
// test binary can be the one program of a virtual machine.
func TestRunningKernel(t *testing.T) {
	kernel, err := btf.Open(btf.Running)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this kernel shows no BTF (CONFIG_DEBUG_INFO_BTF, and /sys mounted)")
	}
	if err != nil {
		t.Fatal(err)
	}
	running, _, err := since.Running()
	if err != nil {
		t.Fatal(err)
	}
	if word, err := kernel.WordSize(); err != nil {
		t.Fatal(err)
	} else if mine := strconv.IntSize / 8; word != mine {
		t.Skipf("a program of %d-byte words on a kernel of %d", mine, word)
	}
	compiled := bindings.Compiled()
	for _, source := range bindings.Sources {
		symbols, err := since.Documented(headers.FS, source.Header)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range symbols.Tags() {
			t.Run("agrees on "+tag, func(t *testing.T) {
				compared, older, wrong, err := kernel.Check(compiled, tag, running, symbols[tag])
				if err != nil {
					t.Fatal(err)
				}
				if older && len(wrong) == 0 {
					t.Skipf("struct %s (Linux %v)", tag, symbols[tag])
				}
				if compared < 5 && len(wrong) == 0 {
					t.Errorf("only %d values compared", compared)
				}
				for _, line := range wrong {
					t.Error(line)
				}
			})
		}
	}
}
