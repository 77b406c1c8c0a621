package kernels

import (
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/arch"
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

func TestQueries(t *testing.T) {
	for name, want := range map[string]string{
		"linux-image-5.10.0-32-cloud-amd64":            "5.10.223-1",
		"linux-image-6.12.117+deb13-cloud-amd64":       "6.12.117-1",
		"linux-binary-7.3.4+deb13-cloud-amd64":         "7.3.4-1~bpo13+1",
		"linux-image-6.12.117+deb13-cloud-amd64-dbg":   "",
		"linux-headers-6.12.117+deb13-cloud-amd64":     "",
		"linux-image-6.12.117+deb13-amd64":             "",
		"linux-image-6.12.117+deb13-cloud-amd64-unsig": "",
		"linux-image-cloud-amd64":                      "",
	} {
		matches := 0
		for _, k := range Debian {
			if q := k.query(); k.Arch == "amd64" && q.Name.MatchString(name) && strings.HasPrefix(want, q.Version) {
				matches++
			}
		}
		if (matches == 1) != (want != "") {
			t.Errorf("%s is that of %d kernels", name, matches)
		}
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Debian {
		if a, ok := arch.For(k.Arch); !ok || a.Machine == nil {
			t.Errorf("%s: no machine", k.Name())
		}
		if seen[k.Name()] {
			t.Errorf("%s is there twice", k.Name())
		}
		seen[k.Name()] = true
	}
}

func TestChoose(t *testing.T) {
	for list, want := range map[string]string{
		"amd64/6.12":                "amd64/6.12",
		"arm64/6.12*":               "arm64/6.12 arm64/6.12-16k",
		"*/5.10":                    "amd64/oldest arm64/oldest",
		"arm64/newest,amd64/7.0":    "amd64/recent arm64/newest",
		"amd64/6.12,amd64/*12":      "amd64/6.12",
		"ppc64le/*,*390x/newest":    "s390x/newest ppc64le/newest ppc64le/newest-64k",
		"amd64/6.11":                "",
		"amd64/6.12,amd64/6.11":     "",
		"riscv64/":                  "",
		"[":                         "",
		"":                          "",
		"amd64/" + edition():        "amd64/newest",
		"amd64/[no]*/,amd64/oldest": "",
	} {
		t.Run(list, func(t *testing.T) {
			chosen, err := Choose(Debian, list)
			var names []string
			for _, k := range chosen {
				names = append(names, k.Name())
			}
			if got := strings.Join(names, " "); got != want || (err != nil) != (want == "") {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}
