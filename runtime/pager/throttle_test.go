package pager

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAMemoryHighIsNoticed(t *testing.T) {
	for name, test := range map[string]struct {
		high map[string]string
		want bool
	}{
		"none":         {nil, false},
		"no limit":     {map[string]string{"a/b": "max", "a": "max"}, false},
		"its own":      {map[string]string{"a/b": "16777216", "a": "max"}, true},
		"of one above": {map[string]string{"a/b": "max", "a": "16777216"}, true},
		"of another":   {map[string]string{"a/c": "16777216"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) string {
				name = filepath.Join(dir, name)
				os.MkdirAll(filepath.Dir(name), 0o755)
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return name
			}
			mounts := write("mounts", "proc /proc proc rw 0 0\ncgroup2 "+dir+"/cg cgroup2 rw 0 0\n")
			groups := write("cgroup", "5:memory:/elsewhere\n0::/a/b\n")
			for group, high := range test.high {
				write("cg/"+group+"/memory.high", high+"\n")
			}
			if got := mayBeThrottled(mounts, groups); got != test.want {
				t.Errorf("mayBeThrottled is %v, want %v", got, test.want)
			}
		})
	}
	if mayBeThrottled("/nowhere", "/nowhere") {
		t.Error("a process without cgroups may be throttled")
	}
}
