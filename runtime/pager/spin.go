package pager

import "time"

// A spin is the polling for messages before the pager sleeps ([Config.Spin]).
// Where the faulting thread needs the CPU that is being burnt, or comes back
// later than most, it is in vain each time, and is soon seldom done.
type spin struct {
	most   time.Duration
	since  time.Duration // the last message; the clock is the caller's
	tried  bool          // since then
	futile uint          // how often on end the pager slept after all
}

// Of the waits after futileSpins that were in vain, one in retrySpin spins.
const (
	futileSpins = 4
	retrySpin   = 16
)

// message notes that messages were read.
func (s *spin) message(now time.Duration) {
	if s.tried {
		s.futile = 0
	}
	s.tried = false
	s.since = now
}

// again reports whether to look once more before sleeping.
func (s *spin) again(now time.Duration) bool {
	if now-s.since >= s.most || s.futile >= futileSpins && s.futile%retrySpin != 0 {
		s.futile++
		s.tried = false
		return false
	}
	s.tried = true
	return true
}
