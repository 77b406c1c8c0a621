package demand

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// View calls f with the memory of the whole mapping, and calls it again, from
// the start, whenever it has met a page that was not there. f must be
// repeatable: it builds its results anew and leaves what is outside it alone
// until it knows that it has come to its end.
//
//	var sum int
//	err := m.View(func(b []byte) error {
//		sum = 0 // not before View: f may have been here already
//		for _, v := range b[off:end] {
//			sum += int(v)
//		}
//		return nil
//	})
//
// b, slices of it and pointers into it are f's until it returns. The package
// comment says what else f must not do. View may be called within f, for this
// mapping or others.
//
// An error that f returns, a panic and [runtime.Goexit] are f's own and pass
// through; a deferred call that meets a missing page after Goexit is left there,
// and not called again. Where f has touched memory that cannot be had, View returns an
// [Error] that wraps the source's error, and f's last run was left at that
// access. It wraps [ErrBudget] where f, and the views beside it, touch more than
// the budget allows; [os.ErrClosed] where the mapping was closed before View
// returned; and unix.EACCES where f has written to a mapping that is not
// writable, which is found out once the page is in place.
func (m *Mapping) View(f func(b []byte) error) error {
	if err := m.enter("view"); err != nil {
		return err
	}
	defer m.leave()
	off, err := m.guard(f)
	if off < 0 {
		if err == nil && m.isClosed() {
			err = m.closedError("view")
		}
		return err
	}
	return m.viewAgain(off, f)
}

// viewAgain fills the page that f has met, until f meets none.
func (m *Mapping) viewAgain(off int64, f func(b []byte) error) error {
	v := viewer{m: m, claim: claim{m: m}, op: "view", again: true}
	defer v.claim.release()
	for {
		if err := v.miss(off); err != nil {
			return err
		}
		var err error
		off, err = m.guard(f)
		if off < 0 {
			if err == nil && m.isClosed() {
				err = m.closedError("view")
			}
			return err
		}
	}
}

// A fault is the runtime's error for an address that faults, the only one with
// this method.
type fault interface {
	runtime.Error
	Addr() uintptr
}

// guard calls f over the memory. Where f was left at an access that faults, it
// returns the access's offset, else -1 and f's error.
func (m *Mapping) guard(f func(b []byte) error) (off int64, err error) {
	old := debug.SetPanicOnFault(true)
	returned := false
	defer func() {
		debug.SetPanicOnFault(old)
		if returned {
			return
		}
		switch p := recover().(type) {
		case nil: // Goexit
		case fault:
			if off = m.offsetOf(p); off < 0 {
				panic(p)
			}
		default:
			panic(p)
		}
	}()
	err = f(m.bytes)
	returned = true
	if err != nil {
		// Some code makes errors of panics.
		var swallowed fault
		if errors.As(err, &swallowed) {
			return m.offsetOf(swallowed), err
		}
	}
	return -1, err
}

// offsetOf returns the offset of the page that faulted, or -1 if that is not of
// this mapping.
func (m *Mapping) offsetOf(f fault) int64 {
	off := (uint64(f.Addr()) - m.start) &^ uint64(m.memory.PageSize()-1)
	if off >= uint64(len(m.bytes)) {
		return -1
	}
	return int64(off)
}

// A viewer is a view, or a copy of a chunk, that has met missing pages.
type viewer struct {
	m     *Mapping
	claim claim
	op    string
	again bool  // it starts again and touches all that it has touched
	more  int64 // see want

	ahead  int   // chunks that the last miss asked for
	filled int64 // bytes that were put in place for all of them
	found  int64 // the page that was in place when it was last missed
	times  int   // how often in a row
}

// miss puts the page at off in place.
func (v *viewer) miss(off int64) error {
	m := v.m
	m.misses.Add(1)
	w := want{op: v.op, off: off, end: off + int64(m.memory.PageSize()), more: v.more, claim: &v.claim}
	if v.again {
		w.viewer = v
	}
	w.repair = v.times > 0 && v.found == off && !m.loads(off)
	got, err := m.fill(w)
	if err != nil {
		return err
	}
	if got > 0 {
		v.times = 0
		v.filled += int64(got)
		return nil
	}
	if v.found != off {
		v.found, v.times = off, 0
	}
	if v.times++; v.times < suspicious {
		return nil // others were faster
	}
	err = unix.EFAULT
	if !m.writable {
		err = unix.EACCES
	}
	return &Error{Op: v.op, Off: off, Err: err}
}

// loads reports whether the byte at off can be read at the moment. Where it can,
// and yet an access to it faults, that is a write, and nothing is to be read again
// from the source.
func (m *Mapping) loads(off int64) bool {
	missed, _ := m.guard(func(b []byte) error {
		loaded.Store(uint32(b[off]))
		return nil
	})
	return missed < 0
}

// loaded keeps the compiler from dropping a load.
var loaded atomic.Uint32

// suspicious is how often in a row a page can be found in place and be missed
// again before that is no accident. Once it is when others have put it there in
// between; more often takes that it was evicted in the same moment, too.
const suspicious = 4
