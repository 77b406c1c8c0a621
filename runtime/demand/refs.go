package demand

import "sync/atomic"

// refs counts who uses something that can be closed: one for being open, and
// one for each user.
type refs struct{ state atomic.Int64 }

const opened = 1 << 62 // beside the count

func (r *refs) open() { r.state.Store(opened + 1) }

// enter adds a user, and reports whether r is open. leave is due in both cases.
func (r *refs) enter() bool { return r.state.Add(1)&opened != 0 }

// leave takes a user away, and reports whether it was the last one and r is
// closed.
func (r *refs) leave() bool { return r.state.Add(-1) == 0 }

// close reports whether it was this call that closed r; then leave is due.
func (r *refs) close() bool { return r.state.And(^opened)&opened != 0 }

func (r *refs) isClosed() bool { return r.state.Load()&opened == 0 }
