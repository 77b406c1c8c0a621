package debian

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// nameOf is what the names of suites and architectures are made of; they
// become file names.
var nameOf = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*$`)

// lock keeps other processes, and other goroutines, from what is at path until
// the function that it returns is called. The file path.lock stays.
func (c *Cache) lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	slow := time.AfterFunc(2*time.Second, func() { c.logf("waiting for another user of %s", path) })
	defer slow.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
	}
}
