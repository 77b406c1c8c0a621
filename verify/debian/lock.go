package debian

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

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
	for how := unix.LOCK_EX | unix.LOCK_NB; ; {
		err := unix.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			c.logf("waiting for another process that has %s", f.Name())
			how = unix.LOCK_EX
		case !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
	}
}
