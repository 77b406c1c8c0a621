package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParseRepositories(t *testing.T) {
	for name, c := range map[string]struct {
		out  string
		want []string
	}{
		"the suites of one archive are one repository": {
			"'http://a/debian/dists/x/InRelease' a_x 0 \n'http://a/debian/dists/x-updates/InRelease' a_u 0 \n", []string{"http://a/debian"}},
		"the security archive is not the main one": {
			"'http://a/sec/dists/x-security/InRelease' f 0 \n'file:/b/dists/x/InRelease' f 0 \n", []string{"file:/b"}},
		"package lists are no repositories": {"'http://a/d/dists/x/main/binary-amd64/Packages.xz' f 0 \n", nil},
		"nothing":                           {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseRepositories([]byte(c.out)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

const oneRecord = "Package: p\nArchitecture: all\nVersion: 1:2-3\nFilename: x\nSize: 7\nSHA256: ab\nDescription: d\n more\n .\n and more\n"

func TestParsePackages(t *testing.T) {
	x := Index{"suite", "amd64"}
	want := Package{x, "p", "1:2-3", "all", 7, "ab"}
	for name, c := range map[string]struct {
		out  string
		want []Package
		fail bool
	}{
		"one":                                 {oneRecord + "\n", []Package{want}, false},
		"two, the last unterminated":          {oneRecord + "\n" + oneRecord, []Package{want, want}, false},
		"none":                                {"", nil, false},
		"refuses a record without a checksum": {strings.Replace(oneRecord, "SHA256", "SHA1", 1), nil, true},
		"refuses a size that is no number":    {strings.Replace(oneRecord, "7", "many", 1), nil, true},
		"refuses what is no record":           {"oh\n\n", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parsePackages(x, []byte(c.out))
			if !reflect.DeepEqual(got, c.want) || (err != nil) != c.fail {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func FuzzParsePackages(f *testing.F) {
	f.Add([]byte(oneRecord + "\n" + oneRecord))
	f.Fuzz(func(t *testing.T, out []byte) {
		all, err := parsePackages(Index{}, out)
		for _, p := range all {
			if err == nil && (p.Name == "" || p.SHA256 == "") {
				t.Errorf("%+v is incomplete", p)
			}
		}
	})
}

func TestUntar(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 2} }
	for name, c := range map[string]struct {
		entries []tar.Header
		match   *regexp.Regexp
		want    []string // nil for an error
	}{
		"files and directories": {[]tar.Header{{Name: "./d/", Typeflag: tar.TypeDir}, file("./d/f"), file("./e/g")}, nil, []string{"d/f", "e/g"}},
		"only what matches":     {[]tar.Header{file("./d/f"), file("./e/g")}, regexp.MustCompile("^e/"), []string{"e/g"}},
		"links":                 {[]tar.Header{file("./f"), {Name: "./l", Typeflag: tar.TypeLink, Linkname: "./f"}}, nil, []string{"f", "l"}},
		"refuses a way out":     {[]tar.Header{file("../f")}, nil, nil},
		"refuses a way out through a link": {
			[]tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, file("l/uffd-test-escaped")}, nil, nil},
		"refuses a file that is there twice": {[]tar.Header{file("f"), file("f")}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, h := range c.entries {
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
				if h.Size > 0 {
					w.Write([]byte("hi"))
				}
			}
			w.Close()
			dir := t.TempDir()
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			sums := make(map[string]string)
			err = untar(root, &b, sums, c.match)
			if (err != nil) != (c.want == nil) {
				t.Fatalf("error %v, want files %q", err, c.want)
			}
			if err != nil {
				return
			}
			if len(sums) != len(c.want) {
				t.Errorf("got %v, want %q", sums, c.want)
			}
			for _, f := range c.want {
				content, err := os.ReadFile(filepath.Join(dir, f))
				if err != nil || string(content) != "hi" || sums[f] != fmt.Sprintf("%x", sha256.Sum256([]byte("hi"))) {
					t.Errorf("%s: %q, %v, sum %s", f, content, err, sums[f])
				}
			}
		})
	}
}

// A repository is a Debian repository on this disk, which this machine's apt
// is told of, and a cache for it.
type repository struct {
	t   *testing.T
	dir string
}

// newRepository makes the repository the only one that apt knows. Nobody has
// signed it, which has to be allowed.
func newRepository(t *testing.T, allowed bool) *repository {
	t.Helper()
	if err := available(); err != nil {
		t.Skip(err)
	}
	r := &repository{t, t.TempDir()}
	conf := fmt.Sprintf("Dir::Etc::SourceList %q; Dir::Etc::SourceParts \"-\";\n", filepath.Join(r.dir, "sources.list"))
	if allowed {
		conf += "Acquire::AllowInsecureRepositories \"true\"; APT::Get::AllowUnauthenticated \"true\";\n"
	}
	r.write("apt.conf", conf)
	r.write("sources.list", "deb copy:"+r.dir+" test main\n")
	t.Setenv("APT_CONFIG", filepath.Join(r.dir, "apt.conf"))
	t.Setenv("UFFD_CACHE", filepath.Join(r.dir, "cache"))
	return r
}

func (r *repository) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// publish makes packages named p, of these versions, all that there is.
func (r *repository) publish(versions ...string) {
	r.t.Helper()
	os.RemoveAll(filepath.Join(r.dir, "pool"))
	var packages strings.Builder
	for _, v := range versions {
		control := "Package: p\nVersion: " + v + "\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: test\n"
		r.write("build/DEBIAN/control", control)
		r.write("build/usr/include/version", v)
		r.write("build/boot/vmlinuz", "kernel "+v)
		deb := filepath.Join(r.dir, "pool", "p_"+v+"_all.deb")
		os.MkdirAll(filepath.Dir(deb), 0o755)
		if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-b", filepath.Join(r.dir, "build"), deb).CombinedOutput(); err != nil {
			r.t.Fatalf("%v\n%s", err, out)
		}
		content, err := os.ReadFile(deb)
		if err != nil {
			r.t.Fatal(err)
		}
		fmt.Fprintf(&packages, "%sFilename: pool/%s\nSize: %d\nSHA256: %x\n\n", control, filepath.Base(deb), len(content), sha256.Sum256(content))
	}
	r.write("dists/test/main/binary-amd64/Packages", packages.String())
	r.write("dists/test/Release", fmt.Sprintf("Suite: test\nCodename: test\nDate: %s\nArchitectures: amd64\nComponents: main\nSHA256:\n %x %d main/binary-amd64/Packages\n",
		time.Now().UTC().Format(time.RFC1123), sha256.Sum256([]byte(packages.String())), packages.Len()))
}

func (r *repository) open() *Cache {
	r.t.Helper()
	c, err := Open()
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

var (
	wanted    = Query{Index{"test", "amd64"}, regexp.MustCompile(`^p$`), ""}
	theKernel = regexp.MustCompile(`^boot/vmlinu[xz]`)
)

// version returns the version that is extracted, having looked at the files.
func (r *repository) version(c *Cache, q Query) (string, error) {
	r.t.Helper()
	e, err := c.Extract(context.Background(), q, nil)
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(filepath.Join(e.Dir, "usr/include/version"))
	if err != nil || string(content) != e.Package.Version || len(e.Files) != 2 {
		r.t.Errorf("version %s has %d files and says %q, %v", e.Package.Version, len(e.Files), content, err)
	}
	return e.Package.Version, nil
}

func (r *repository) want(c *Cache, q Query, version string) {
	r.t.Helper()
	if got, err := r.version(c, q); got != version || err != nil {
		r.t.Errorf("got %q, %v, want version %s", got, err, version)
	}
}

func TestExtract(t *testing.T) {
	t.Run("takes the newest, as dpkg orders versions", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1.9-1", "1.10-1", "1.10-1~bpo1")
		r.want(r.open(), wanted, "1.10-1")
		old := wanted
		old.Version = "1.9"
		r.want(r.open(), old, "1.9-1")
	})
	t.Run("takes one file", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		e, err := r.open().Extract(t.Context(), wanted, theKernel)
		if err != nil {
			t.Fatal(err)
		}
		path, err := e.Path()
		if err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(path); string(content) != "kernel 1" {
			t.Errorf("%q, %v", content, err)
		}
	})
	t.Run("needs no repository a second time", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		r.want(r.open(), wanted, "1")
		os.RemoveAll(filepath.Join(r.dir, "pool"))
		os.RemoveAll(filepath.Join(r.dir, "dists"))
		r.want(r.open(), wanted, "1")
	})
	t.Run("offline, takes what is in the cache and fetches nothing", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1", "2")
		c := r.open()
		c.Offline = true
		if _, err := c.Packages(t.Context(), wanted); !errors.Is(err, errOffline) {
			t.Errorf("an index that is not in the cache: %v", err)
		}
		r.want(r.open(), wanted, "2")
		r.want(c, wanted, "2")
		old := wanted
		old.Version = "1"
		if got, err := r.version(c, old); !errors.Is(err, errOffline) {
			t.Errorf("a package that is not in the cache: %q, %v", got, err)
		}
	})
	t.Run("does not look for news unless it is told to", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		r.want(r.open(), wanted, "1")
		r.publish("1", "2")
		r.want(r.open(), wanted, "1")
		c := r.open()
		c.Refresh = true
		r.want(c, wanted, "2")
	})
	t.Run("does not trust an index whose refresh failed", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		r.want(r.open(), wanted, "1")
		os.RemoveAll(filepath.Join(r.dir, "dists"))
		c := r.open()
		c.Refresh = true
		if _, err := c.Packages(t.Context(), wanted); err == nil {
			t.Error("a refresh without a repository is no error")
		}
		r.publish("2")
		r.want(r.open(), wanted, "2")
	})
	t.Run("finds the point release that took the place of a vanished one", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		if _, err := r.open().Packages(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		r.publish("2")
		r.want(r.open(), wanted, "2")
	})
	t.Run("fetches again what was damaged", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		e, err := r.open().Extract(t.Context(), wanted, nil)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(e.Dir, "usr/include/version"), []byte("bad"), 0o644)
		r.want(r.open(), wanted, "1")
	})
	t.Run("removes what a killed process left", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		r.write("cache/debian/packages/.part-1234/p_1_all.deb", "half of it")
		r.want(r.open(), wanted, "1")
		if left, _ := filepath.Glob(filepath.Join(r.dir, "cache/debian/packages/.part-*")); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	})
	t.Run("refuses a package that is not what the index says", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		r.write("pool/p_1_all.deb", "something else")
		if got, err := r.version(r.open(), wanted); err == nil {
			t.Errorf("got %q", got)
		}
		if left, _ := filepath.Glob(filepath.Join(r.dir, "cache/debian/packages/p_*/*")); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	})
	t.Run("refuses a repository that Debian has not signed", func(t *testing.T) {
		r := newRepository(t, false)
		r.publish("1")
		if got, err := r.version(r.open(), wanted); err == nil {
			t.Errorf("got %q", got)
		}
	})
	t.Run("says that there is no such package", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		q := wanted
		q.Name = regexp.MustCompile(`^q$`)
		if _, err := r.open().Extract(t.Context(), q, nil); err == nil || !strings.Contains(err.Error(), "^q$ test/amd64") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("serves many at a time", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		var wg sync.WaitGroup
		for range 4 {
			c := r.open()
			for range 2 {
				wg.Go(func() { r.want(c, wanted, "1") })
			}
		}
		wg.Wait()
	})
}

func TestExtracts(t *testing.T) {
	r := newRepository(t, true)
	r.publish("1", "2")
	c := r.open()
	kernel := func(version string) *Extract {
		t.Helper()
		q := wanted
		q.Version = version
		e, err := c.Extract(t.Context(), q, theKernel)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	is := func(t *testing.T, good, bad int) {
		t.Helper()
		all, damaged, err := r.open().Extracts(theKernel)
		if err != nil || len(all) != good || len(damaged) != bad {
			t.Fatalf("got %d and %d damaged, %v, want %d and %d", len(all), len(damaged), err, good, bad)
		}
		for _, e := range all {
			path, err := e.Path()
			if err != nil {
				t.Fatal(err)
			}
			if content, err := os.ReadFile(path); string(content) != "kernel "+e.Package.Version || e.Package.Name != "p" {
				t.Errorf("%+v: %q, %v", e.Package, content, err)
			}
		}
		for _, d := range damaged {
			if d.Name != "p" || filepath.Dir(d.Dir) != filepath.Join(c.Dir, "packages") || d.Err == nil {
				t.Errorf("damaged: %+v", d)
			}
		}
	}
	is(t, 0, 0)
	r.want(c, wanted, "2")
	is(t, 0, 0) // by another expression
	first, second := kernel("1"), kernel("2")
	is(t, 2, 0)
	t.Run("tells a file that was cut, and hides no other", func(t *testing.T) {
		path, err := first.Path()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, 3); err != nil {
			t.Fatal(err)
		}
		is(t, 1, 1)
	})
	t.Run("tells an empty record", func(t *testing.T) {
		if err := os.Truncate(filepath.Join(filepath.Dir(second.Dir), record), 0); err != nil {
			t.Fatal(err)
		}
		is(t, 0, 2)
	})
	t.Run("waits for whoever is at work on one", func(t *testing.T) {
		unlock, err := c.lock(filepath.Dir(first.Dir))
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		var unlocked atomic.Bool
		done := make(chan bool)
		waiting := make(chan struct{})
		go func() {
			c := r.open()
			c.Log = writerFunc(func([]byte) { close(waiting) })
			if _, _, err := c.Extracts(theKernel); err != nil {
				t.Error(err)
			}
			done <- unlocked.Load()
		}()
		select {
		case <-waiting: // it says that it waits
		case <-done:
			t.Fatal("it did not wait")
		}
		unlocked.Store(true)
		unlock()
		if !<-done {
			t.Error("it did not wait")
		}
	})
	kernel("1")
	kernel("2")
	is(t, 2, 0)
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestArch(t *testing.T) {
	for goarch, want := range map[string]string{"amd64": "amd64", "386": "i386", "ppc64le": "ppc64el", "arm": "armhf", "mips64le": "mips64el"} {
		if got := Arch(goarch); got != want {
			t.Errorf("Arch(%q) is %q, want %q", goarch, got, want)
		}
		if got := GOARCH(want); got != goarch {
			t.Errorf("GOARCH(%q) is %q, want %q", want, got, goarch)
		}
	}
}
