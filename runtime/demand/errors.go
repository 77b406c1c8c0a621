package demand

import (
	"errors"
	"fmt"
	"os"
)

// An Error is what failed, where in the source, and why.
type Error struct {
	Op  string // "map", "read" (the source), "view", "slice", "flush", ...
	Off int64  // of the first byte that was not had; 0 where it was about no byte
	Err error
}

// Error says the operation, the offset and the cause.
func (e *Error) Error() string {
	if e.Off == 0 && e.isOfNoByte() {
		return fmt.Sprintf("demand: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("demand: %s at offset %d: %v", e.Op, e.Off, e.Err)
}

func (e *Error) isOfNoByte() bool {
	switch e.Op {
	case "map", "map served", "served", "close":
		return true
	}
	return e.Err == os.ErrClosed
}

// Unwrap returns the cause: the source's own error, [io.ErrUnexpectedEOF] where
// the source is shorter than the mapping, [ErrBudget], [os.ErrClosed], or the
// kernel's errno.
func (e *Error) Unwrap() error { return e.Err }

// ErrBudget is the cause of an error where more is needed in memory at once
// than the budget allows. See [Budget].
var ErrBudget = errors.New("more memory is needed at once than the budget allows")

func (m *Mapping) closedError(op string) error { return &Error{Op: op, Err: os.ErrClosed} }
