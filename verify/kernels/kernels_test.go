package kernels

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/debian"
)

func TestBootable(t *testing.T) {
	for path, want := range map[string]bool{
		"boot/vmlinuz-6.12.9-cloud-amd64":             true,
		"boot/vmlinux-6.12.9-powerpc64le":             true,
		"usr/lib/modules/7.3.4/vmlinuz":               true,
		"boot/System.map-6.12.9":                      false,
		"usr/lib/modules/6.12.9/kernel/vmlinuz.ko":    false,
		"usr/share/doc/linux-image/boot/vmlinuz-note": false,
	} {
		if bootable.MatchString(path) != want {
			t.Errorf("%s: want %v", path, want)
		}
	}
}

func TestPackages(t *testing.T) {
	for name, want := range map[string]string{
		"linux-image-5.10.0-32-cloud-amd64":            "amd64/5.10",
		"linux-image-6.1.0-50-cloud-arm64":             "arm64/6.1",
		"linux-image-6.12.117+deb13-arm64-16k":         "arm64/6.12-16k",
		"linux-binary-7.3.4+deb13-cloud-amd64":         "amd64/7.3",
		"linux-binary-7.2.12+deb14-powerpc64le-64k":    "ppc64le/recent-64k",
		"linux-binary-7.2.12+deb14-powerpc64le":        "ppc64le/recent",
		"linux-image-6.12.117+deb13-cloud-amd64-dbg":   "",
		"linux-image-6.11.2+deb13-cloud-amd64":         "",
		"linux-headers-6.12.117+deb13-cloud-amd64":     "",
		"linux-image-6.12.117+deb13-cloud-amd64-unsig": "",
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, k := range Debian {
				if k.packages().MatchString(name) {
					got = append(got, k.Name())
				}
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("is %q, want %q", s, want)
			}
		})
	}
}

func TestImages(t *testing.T) {
	extract := func(name, version, arch string, files ...string) *debian.Extract {
		e := &debian.Extract{Package: debian.Package{Name: name, Version: version, Arch: arch}, Dir: "/c", Files: map[string]string{}}
		for _, f := range files {
			e.Files[f] = "sum"
		}
		return e
	}
	all := images([]*debian.Extract{
		extract("linux-binary-7.2.12+deb14-powerpc64le-64k", "7.2.12-1", "ppc64el", "boot/vmlinux"),
		extract("linux-image-6.12.1-cloud-arm64", "6.12.1-1", "arm64", "boot/vmlinuz"),
		extract("linux-image-6.12.1-arm64-16k", "6.12.1-1", "arm64", "boot/vmlinuz"),
		extract("linux-image-6.1.0-50-cloud-arm64", "6.1.176-1", "arm64", "boot/vmlinuz"),
		extract("linux-image-depends", "7", "arm64"),
		extract("linux-image-two", "7.1", "arm64", "boot/vmlinuz", "boot/vmlinux"),
	}, []*debian.Damaged{{Name: "linux-image-5.10.0-32-cloud-amd64", Dir: "/c/d", Err: errors.New("cut")}})
	var got []string
	for _, i := range all {
		s := fmt.Sprintf("%s %s %v %s", i.Name(), i.Arch, i.Linux, i.Path)
		if i.Err != nil {
			s = i.Name() + ": " + i.Err.Error()
		}
		got = append(got, s)
	}
	want := []string{
		"5.10.0-32-cloud-amd64: damaged: cut; make vm fetches it again if Debian still has it, else remove /c/d",
		"two: linux-image-two 7.1: 2 files where one was expected",
		"6.1.0-50-cloud-arm64 arm64 6.1 /c/boot/vmlinuz",
		"6.12.1-arm64-16k arm64 6.12 /c/boot/vmlinuz",
		"6.12.1-cloud-arm64 arm64 6.12 /c/boot/vmlinuz",
		"7.2.12+deb14-powerpc64le-64k ppc64le 7.2 /c/boot/vmlinux",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func TestMissing(t *testing.T) {
	if all := Missing(nil); len(all) != len(Debian) {
		t.Errorf("of an empty cache, %d of %d are missing", len(all), len(Debian))
	}
	for _, k := range Missing([]Image{{Package: "linux-image-6.12.117+deb13-arm64-16k"}, {Package: "linux-image-5.10.0-32-cloud-amd64", Err: errors.New("damaged")}}) {
		if k.Name() == "arm64/6.12-16k" || k.Name() == "amd64/5.10" {
			t.Errorf("%s is said to be missing", k.Name())
		}
	}
}
