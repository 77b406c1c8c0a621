package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/kernels"
)

// A deb is a package of an archive.
type deb struct {
	name, version, arch string
	files               map[string]string
}

// archive makes a Debian archive on this disk, the only one that apt knows.
func archive(t *testing.T, suites map[string][]deb) *debian.Cache {
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
	for suite, debs := range suites {
		packages := ""
		for i, d := range debs {
			build := fmt.Sprintf("build/%s/%d", suite, i)
			control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: nobody <nobody@localhost>\nDescription: test\n", d.name, d.version, d.arch)
			write(build+"/DEBIAN/control", control)
			for name, content := range d.files {
				write(build+"/"+name, content)
			}
			file := fmt.Sprintf("%s-%d.deb", suite, i)
			if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-b", filepath.Join(dir, build), filepath.Join(dir, file)).CombinedOutput(); err != nil {
				t.Skipf("%v\n%s", err, out)
			}
			content, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			packages += fmt.Sprintf("%sFilename: %s\nSize: %d\nSHA256: %x\n\n", control, file, len(content), sha256.Sum256(content))
		}
		release := fmt.Sprintf("Suite: %s\nCodename: %[1]s\nDate: %s\nArchitectures: amd64 arm64\nComponents: main\nSHA256:\n", suite, time.Now().UTC().Format(time.RFC1123))
		for _, arch := range []string{"amd64", "arm64"} {
			write("dists/"+suite+"/main/binary-"+arch+"/Packages", packages)
			release += fmt.Sprintf(" %x %d main/binary-%s/Packages\n", sha256.Sum256([]byte(packages)), len(packages), arch)
		}
		write("dists/"+suite+"/Release", release)
	}
	write("sources.list", "deb copy:"+dir+" trixie main\n")
	write("apt.conf", fmt.Sprintf("Dir::Etc::SourceList %q; Dir::Etc::SourceParts \"-\"; Acquire::AllowInsecureRepositories \"true\"; APT::Get::AllowUnauthenticated \"true\";\n", filepath.Join(dir, "sources.list")))
	t.Setenv("APT_CONFIG", filepath.Join(dir, "apt.conf"))
	t.Setenv("UFFD_CACHE", filepath.Join(dir, "cache"))
	cache, err := debian.Open()
	if err != nil {
		t.Skip(err)
	}
	cache.Log = t.Output()
	return cache
}

// libcDev is a package of kernel headers: ours, but for what edit changes.
func libcDev(t *testing.T, version string, edit func(text string) string) deb {
	t.Helper()
	d := deb{"linux-libc-dev", version, "all", map[string]string{}}
	err := fs.WalkDir(headers.FS, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(headers.FS, name)
		if rest, ok := strings.CutPrefix(name, "asm/"); ok {
			for _, a := range arch.All {
				d.files["usr/lib/linux/uapi/"+a.Linux+"/asm/"+rest] = string(text)
			}
		} else {
			d.files["usr/include/"+name] = edit(string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func asTheyAre(text string) string { return text }

func TestTrees(t *testing.T) {
	dev := func(versions ...string) (all []deb) {
		for _, v := range versions {
			all = append(all, deb{name: "linux-libc-dev", version: v, arch: "all"})
		}
		return all
	}
	for _, tt := range []struct {
		name                string
		bookworm, backports []string
		trees, lacks        string
	}{
		{"has every suite's releases", []string{"6.1.1-1"}, []string{"7.3.1-1", "7.2.9-1", "7.3.0-1"}, "5.10 6.1 6.12 7.2 7.3", ""},
		{"has those that are newer than ours", []string{"6.1.1-1"}, []string{"7.4.1-1"}, "5.10 6.1 6.12 7.4", ""},
		{"says that a suite lists nothing", nil, []string{"7.3.1-1"}, "5.10 6.12 7.3", "Debian's bookworm has no kernel headers of Linux 6.1"},
		{"says that a suite lists another release", []string{"6.9.1-1"}, []string{"7.3.1-1"}, "5.10 6.9 6.12 7.3", "Debian's bookworm has no kernel headers of Linux 6.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cache := archive(t, map[string][]deb{"bullseye": dev("5.10.1-1"), "bookworm": dev(tt.bookworm...), "trixie": dev("6.12.1-1"), "trixie-backports": dev(tt.backports...)})
			trees, lacks, err := history.Trees(t.Context(), cache)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, tree := range trees {
				got = append(got, tree.Linux.String())
			}
			if g := strings.Join(got, " "); g != tt.trees || strings.Join(lacks, " ") != tt.lacks {
				t.Errorf("got %s, lacks %q; want %s, %q", g, lacks, tt.trees, tt.lacks)
			}
		})
	}
}

// TestNewerHeaders: what comes when Debian carries newer headers than ours, and
// ours no more.
func TestNewerHeaders(t *testing.T) {
	c, _ := arch.For("amd64")
	if err := c.Missing(); err != nil {
		t.Skip(err)
	}
	const poison = "#define UFFDIO_POISON"
	all, err := claim.Load(t.Context(), "..")
	if err != nil {
		t.Fatal(err)
	}
	edition := all.Edition()
	next := fmt.Sprintf("%d.%d.1-1", edition.Major, edition.Minor+1)
	for _, tt := range []struct {
		name    string
		version string
		edit    func(string) string
		wrong   string // part of it
		news    []string
		absent  string
		unasked string
	}{
		{"are news, not an error", next, func(text string) string {
			return strings.Replace(text, poison, "#define UFFD_FEATURE_TELEPORT (1 << 30)\n"+poison, 1)
		}, "", []string{"has more than headers/", "added constant UFFD_FEATURE_TELEPORT: 0x40000000"}, "any more, but newer ones", ""},
		{"that have nothing new are none", next, asTheyAre, "", nil, "any more, but newer ones", ""},
		{"are to have what ours have", next, func(text string) string {
			return strings.Replace(text, poison, "#define UFFDIO_POISONED", 1)
		}, "has no value of UFFDIO_POISON, said to be since 6.6", []string{"has more", "added constant UFFDIO_POISONED", "added ioctl UFFDIO_POISONED"}, "any more", ""},
		{"are to have it with the same value", next, func(text string) string {
			return strings.Replace(text, "#define UFFD_EVENT_FORK", "#define UFFD_EVENT_FORK 1 +", 1)
		}, "value of UFFD_EVENT_FORK: claimed", nil, "any more", ""},
		{"that are none, but older ones, leave ours unverified", "6.19.1-1", asTheyAre, "", nil, "", "or newer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			archive(t, map[string][]deb{"bullseye": nil, "bookworm": nil, "trixie": nil, "trixie-backports": {libcDev(t, tt.version, tt.edit)}})
			var wrong, news, absent, unasked []string
			for _, a := range history.Ask(t.Context(), "..", claim.All{"amd64": all["amd64"]}) {
				wrong = append(wrong, a.Wrong...)
				news = append(news, a.News...)
				if a.Absent != "" {
					absent = append(absent, a.Absent)
				}
				if a.Unasked != nil && (tt.unasked != "" || !strings.Contains(a.Unasked.Error(), "not installed")) {
					unasked = append(unasked, a.Unasked.Error())
				}
			}
			if got := strings.Join(wrong, "\n"); (got == "") != (tt.wrong == "") || !strings.Contains(got, tt.wrong) {
				t.Errorf("wrong is %q, want %q", got, tt.wrong)
			}
			if len(news) != len(tt.news) {
				t.Errorf("the news are %q, want %q", news, tt.news)
			}
			for i, want := range tt.news {
				if i < len(news) && !strings.Contains(news[i], want) {
					t.Errorf("the news are %q, want %q", news[i], want)
				}
			}
			if got := strings.Join(absent, "\n"); !strings.Contains(got, tt.absent) {
				t.Errorf("absent are %q, want %q", got, tt.absent)
			}
			if got := strings.Join(unasked, "\n"); (got == "") != (tt.unasked == "") || !strings.Contains(got, tt.unasked) {
				t.Errorf("unasked are %q, want %q", got, tt.unasked)
			}
		})
	}
}

// TestKernelsThatAreGone: what does the job of a kernel that Debian does not
// carry any more.
func TestKernelsThatAreGone(t *testing.T) {
	kernel := func(release string) deb {
		return deb{"linux-binary-" + release + ".1+deb13-cloud-amd64", release + ".1-1", "amd64", map[string]string{"boot/vmlinuz-" + release: release}}
	}
	cache := archive(t, map[string][]deb{
		"bullseye":         nil,
		"bookworm":         {kernel("6.1")},
		"trixie":           {kernel("6.12")},
		"trixie-backports": {kernel("6.17"), kernel("6.19"), kernel("7.4"), kernel("7.5")},
	})
	for name, want := range map[string]struct{ release, instead string }{
		"amd64/oldest": {"6.1", "amd64/oldest is Linux 6.1 of bookworm: no package is"}, // the suite has nothing
		"amd64/5.10":   {"6.1", "amd64/oldest is Linux 6.1"},
		"amd64/6.12":   {"6.12", ""},
		"amd64/6.18":   {"6.19", "amd64/6.18 is Linux 6.19"},
		"amd64/recent": {"7.4", "amd64/recent is Linux 7.4"},
		"amd64/newest": {"7.4", "amd64/newest is Linux 7.4"},
		"amd64/7.3":    {"7.4", "amd64/newest is Linux 7.4"},
		"arm64/newest": {"", ""}, // there is none at all
	} {
		t.Run(name, func(t *testing.T) {
			chosen, err := kernels.Choose(kernels.Debian, name)
			if err != nil || len(chosen) != 1 {
				t.Fatal(chosen, err)
			}
			image, err := chosen[0].Image(t.Context(), cache)
			if want.release == "" {
				if err == nil || !strings.Contains(err.Error(), "no package is") {
					t.Errorf("got %+v, %v", image, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(image.Path)
			if string(content) != want.release || err != nil || !strings.HasPrefix(image.Instead, want.instead) || (image.Instead == "") != (want.instead == "") {
				t.Errorf("got %q, %q, %v", content, image.Instead, err)
			}
		})
	}
}
