package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWithoutBTF(t *testing.T) {
	r, ok := withoutBTF(filepath.Join(t.TempDir(), "vmlinux"))
	if !ok || r.absent == "" || r.unasked != nil {
		t.Errorf("a kernel that shows no BTF: %+v, %t", r, ok)
	}
	if r, ok := withoutBTF(t.TempDir()); ok {
		t.Errorf("what is there is said to be absent: %+v", r)
	}
}

func TestWithoutApt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := openCache()
	if err == nil || strings.Contains(err.Error(), "KERNELS") || !strings.Contains(err.Error(), "on Debian") {
		t.Errorf("the cache: %v", err)
	}
	if got := installAdvice([]string{"gcc"}); strings.Contains(got, "apt-get") || !strings.Contains(got, "gcc") {
		t.Errorf("the advice: %s", got)
	}
}

func TestFetchingIsToldOf(t *testing.T) {
	cache, err := openCache()
	if err != nil {
		t.Skip(err)
	}
	if cache.Log == nil {
		t.Error("nobody is told what is fetched")
	}
}
