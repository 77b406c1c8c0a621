package pager

import (
	"testing"
	"time"
)

// TestSpin counts how many of a hundred waits spin.
func TestSpin(t *testing.T) {
	for _, test := range []struct {
		name        string
		after       func(wait int) time.Duration // the message comes
		least, most int
	}{
		{"each time where it pays", func(int) time.Duration { return 5 }, 100, 100},
		{"seldom where it does not", func(int) time.Duration { return 50 }, 8, 10},
		{"each time where it pays now and then", func(wait int) time.Duration {
			if wait%4 == 0 {
				return 5
			}
			return 50
		}, 100, 100},
		{"again once it pays", func(wait int) time.Duration {
			if wait >= 50 {
				return 5
			}
			return 50
		}, 40, 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := spin{most: 20}
			now, spun := time.Duration(1000), 0
			for wait := range 100 {
				s.message()
				message := now + test.after(wait)
				if s.again(now + 1) {
					spun++
					for now += 2; now < message && s.again(now); now++ {
					}
				}
				now = message
			}
			if spun < test.least || spun > test.most {
				t.Errorf("%d waits of 100 spin, not %d to %d", spun, test.least, test.most)
			}
		})
	}
}
