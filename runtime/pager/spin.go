package pager

import "time"

// A spin is the polling for messages before the pager sleeps ([Config.Spin]).
// Where the faulting thread needs the CPU that is being burnt, or comes back
// later than most, it is in vain each time, and is soon seldom done.
type spin struct {
	most    time.Duration
	looking bool          // since the last message there was none
	since   time.Duration // when it began to look; the clock is the caller's
	tried   bool          // to spin since then
	futile  uint          // how often on end the pager slept after all
}

// Of the waits after futileSpins that were in vain, one in retrySpin spins.
const (
	futileSpins = 4
	retrySpin   = 16
)

// message notes that messages were read. It has no need of the clock, which takes
// as long as all else that the pager does between two faults that follow each other.
func (s *spin) message() {
	if s.tried {
		s.futile = 0
	}
	s.tried, s.looking = false, false
}

// again reports whether to look once more before sleeping.
func (s *spin) again(now time.Duration) bool {
	if !s.looking {
		s.looking, s.since = true, now
	}
	if now-s.since >= s.most || s.futile >= futileSpins && s.futile%retrySpin != 0 {
		s.futile++
		s.tried = false
		return false
	}
	s.tried = true
	return true
}
