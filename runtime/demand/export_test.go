package demand

import (
	"os"
	"time"
)

// SetSilence sets after what time a claim that waits for room takes it from
// anybody, and returns what it was.
func SetSilence(d time.Duration) (old time.Duration) {
	old, silence = silence, d
	return old
}

// BeforeDiscard sets what is called before a chunk is discarded whose eviction
// is decided.
func BeforeDiscard(f func()) { beforeDiscard = f }

// SetPagerMainCalled says whether PagerMain was called.
func SetPagerMainCalled(called bool) { pagerMainCalled.Store(called) }

// Supervisor returns the process that watches over the one that serves.
func (s *Served) Supervisor() *os.Process { return s.cmd.Process }
