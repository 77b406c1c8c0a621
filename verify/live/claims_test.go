package live

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRefusalSaysWhatToDo(t *testing.T) {
	for errno, advice := range map[unix.Errno]string{unix.EPERM: "vm.unprivileged_userfaultfd=1", unix.ENOSYS: ""} {
		err := refused(errno)
		if !errors.Is(err, errno) || !strings.Contains(err.Error(), advice) {
			t.Errorf("%v: %v", errno, err)
		}
	}
}
