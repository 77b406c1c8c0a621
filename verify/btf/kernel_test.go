package btf_test

import (
	"errors"
	"io/fs"
	"strconv"
	"testing"

	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/linux"
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
	running, _, err := linux.Running()
	if err != nil {
		t.Fatal(err)
	}
	if word, err := kernel.WordSize(); err != nil {
		t.Fatal(err)
	} else if mine := strconv.IntSize / 8; word != mine {
		t.Skipf("a program of %d-byte words on a kernel of %d", mine, word)
	}
	compiled := bindings.Compiled()
	for _, s := range bindings.Tagged {
		t.Run("agrees on "+s.Tag, func(t *testing.T) {
			m, err := kernel.Model(s.Tag)
			if err != nil {
				t.Fatal(err)
			}
			older := running.Before(s.Since)
			switch there := len(m.Structs) > 0; {
			case there == older:
				t.Fatalf("Linux %v and struct %s, said to be since %v: there is %t", running, s.Tag, s.Since, there)
			case older:
				t.Skipf("struct %s (Linux %v)", s.Tag, s.Since)
			}
			compared, wrong := compiled.Compare(m, false)
			if compared < 5 {
				t.Errorf("only %d values compared", compared)
			}
			for _, line := range wrong {
				t.Error(line)
			}
		})
	}
}
