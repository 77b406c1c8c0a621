package userfaultfd_test

import "time"

// after returns a channel that is sent to after so many milliseconds.
func after(ms int) <-chan time.Time { return time.After(time.Duration(ms) * time.Millisecond) }
