package history_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/since"
)

// archive makes a Debian archive on this disk, whose suites have these
// versions of linux-libc-dev or nothing, the only one that apt knows.
func archive(t *testing.T, suites map[string]string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for suite, version := range suites {
		packages := ""
		if version != "" {
			control := "Package: linux-libc-dev\nVersion: " + version + "\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: test\n"
			write("build/DEBIAN/control", control)
			deb := filepath.Join(dir, suite+".deb")
			if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-b", filepath.Join(dir, "build"), deb).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			content, err := os.ReadFile(deb)
			if err != nil {
				t.Fatal(err)
			}
			packages = fmt.Sprintf("%sFilename: %s.deb\nSize: %d\nSHA256: %x\n\n", control, suite, len(content), sha256.Sum256(content))
		}
		write("dists/"+suite+"/main/binary-amd64/Packages", packages)
		write("dists/"+suite+"/Release", fmt.Sprintf("Suite: %s\nCodename: %[1]s\nDate: %s\nArchitectures: amd64\nComponents: main\nSHA256:\n %x %d main/binary-amd64/Packages\n",
			suite, time.Now().UTC().Format(time.RFC1123), sha256.Sum256([]byte(packages)), len(packages)))
	}
	write("sources.list", "deb copy:"+dir+" trixie main\n")
	write("apt.conf", fmt.Sprintf("Dir::Etc::SourceList %q; Dir::Etc::SourceParts \"-\"; Acquire::AllowInsecureRepositories \"true\"; APT::Get::AllowUnauthenticated \"true\";\n", filepath.Join(dir, "sources.list")))
	t.Setenv("APT_CONFIG", filepath.Join(dir, "apt.conf"))
	t.Setenv("UFFD_CACHE", filepath.Join(dir, "cache"))
}

func TestTrees(t *testing.T) {
	for _, tt := range []struct {
		name, bookworm string
		want           string // the releases, or what the error says
	}{
		{"has every suite's release, up to the last", "6.1.1-1", "5.10 6.1 6.12 7.3"},
		{"refuses a suite that lists nothing", "", "bookworm/amd64 of version 6.1."},
		{"refuses a suite that lists another release", "6.9.1-1", "bookworm/amd64 of version 6.1."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			archive(t, map[string]string{"bullseye": "5.10.1-1", "bookworm": tt.bookworm, "trixie": "6.12.1-1", "trixie-backports": "7.3.1-1"})
			cache, err := debian.Open()
			if err != nil {
				t.Skip(err)
			}
			trees, err := history.Trees(t.Context(), cache, since.Release{Major: 7, Minor: 3})
			var got []string
			for _, tree := range trees {
				got = append(got, tree.Linux.String())
			}
			if err != nil {
				got = []string{err.Error()}
			}
			if !strings.Contains(strings.Join(got, " "), tt.want) {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}
