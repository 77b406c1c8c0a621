package demand

import "time"

// A reach is how far a claim goes that needs room.
type reach int

const (
	unheld    reach = iota // it evicts what nobody holds
	younger                // and what only younger claims hold
	everybody              // and what any other claim holds
)

// A waiter waits for room. It is not on its own before it has waited once.
type waiter struct {
	began time.Time // of waiting
	quiet time.Time // since when nothing has happened that could bring room
}

// courtesy is what younger claims get to come to their end.
const courtesy = 5 * time.Millisecond

// silence is after what time a claim may be waiting for what waits for it.
// Tests make it shorter.
var silence = time.Second

// isVain reports whether waiting has become pointless: nothing has happened for
// long although everything was within reach.
func (w *waiter) isVain() bool {
	return !w.began.IsZero() && time.Since(w.quiet) >= 3*silence
}

// reach returns how far to go by now.
func (w *waiter) reach() reach {
	switch {
	case w.began.IsZero():
		return unheld
	case time.Since(w.quiet) >= silence, time.Since(w.began) >= 2*silence:
		return everybody
	case time.Since(w.began) >= courtesy:
		return younger
	}
	return unheld
}

// wait waits until something has changed, or it is time to reach farther.
func (w *waiter) wait(b *Budget, m *Mapping) {
	now := time.Now()
	if w.began.IsZero() {
		w.began, w.quiet = now, now
	}
	if b.reads > 0 {
		w.quiet = now // a source is waited for
	}
	next := courtesy - now.Sub(w.began)
	if next <= 0 {
		next = max(silence-now.Sub(w.quiet), courtesy)
	}
	if b.news == nil {
		b.news = make(chan struct{})
	}
	news, timer := b.news, time.NewTimer(next)
	defer timer.Stop()
	b.mu.Unlock()
	defer b.mu.Lock()
	select {
	case <-news:
		w.quiet = time.Now()
	case <-m.closed:
	case <-timer.C:
	}
}
