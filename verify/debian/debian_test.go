package debian

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRepositories(t *testing.T) {
	for name, c := range map[string]struct {
		out  string
		want []string
	}{
		"the suites of one archive are one repository": {
			"x http://a/debian/\nx-updates http://a/debian/\n", []string{"http://a/debian/"}},
		"the security archive is not the main one": {
			"x-security http://a/sec/\nx file:/b/\n", []string{"file:/b/"}},
		"nothing is an error": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "apt-get"), []byte("#!/bin/sh\nprintf '"+c.out+"'\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin)
			if got, err := repositories(t.Context()); !slices.Equal(got, c.want) || (err != nil) != (got == nil) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
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
	if _, err := Open(); err != nil {
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

// forget has every index be fetched anew.
func (r *repository) forget() { os.RemoveAll(filepath.Join(r.dir, "cache/debian/index")) }

// files returns the paths of the regular files below a directory.
func files(dir string) (all []string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all = append(all, path)
		}
		return err
	})
	return all
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
	if err != nil || string(content) != e.Version || len(files(e.Dir)) != 2 {
		r.t.Errorf("version %s has %d files and says %q, %v", e.Version, len(files(e.Dir)), content, err)
	}
	return e.Version, nil
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
		content, err := os.ReadFile(filepath.Join(e.Dir, "boot/vmlinuz"))
		if string(content) != "kernel 1" || len(files(e.Dir)) != 1 {
			t.Errorf("%q of %v, %v", content, files(e.Dir), err)
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
		if _, err := c.Packages(t.Context(), wanted); !errors.Is(err, ErrOffline) {
			t.Errorf("an index that is not in the cache: %v", err)
		}
		r.want(r.open(), wanted, "2")
		r.want(c, wanted, "2")
		old := wanted
		old.Version = "1"
		if got, err := r.version(c, old); !errors.Is(err, ErrOffline) {
			t.Errorf("a package that is not in the cache: %q, %v", got, err)
		}
	})
	t.Run("does not look for news unless it is told to", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		r.want(r.open(), wanted, "1")
		r.publish("1", "2")
		r.want(r.open(), wanted, "1")
		r.forget()
		r.want(r.open(), wanted, "2")
	})
	t.Run("does not trust an index whose refresh failed", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		r.want(r.open(), wanted, "1")
		os.RemoveAll(filepath.Join(r.dir, "dists"))
		r.forget()
		if _, err := r.open().Packages(t.Context(), wanted); err == nil {
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
	t.Run("removes what a killed process left", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		r.write("cache/debian/packages/p_1_all.part/p_0_all.deb", "half of it")
		r.want(r.open(), wanted, "1")
		if left, _ := filepath.Glob(filepath.Join(r.dir, "cache/debian/packages/*.part")); len(left) > 0 {
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
	t.Run("waits for whoever is at work on the cache", func(t *testing.T) {
		r := newRepository(t, true)
		r.publish("1")
		unlock, err := r.open().lock()
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := r.open().Extract(context.Background(), wanted, nil)
			done <- err
		}()
		select {
		case err := <-done:
			t.Errorf("it did not wait: %v", err)
			unlock()
		case <-time.After(time.Second):
			unlock()
			if err := <-done; err != nil {
				t.Error(err)
			}
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
