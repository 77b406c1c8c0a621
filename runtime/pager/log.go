package pager

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// A journal logs without waiting for it: faults are logged of with the order's lock
// held, and a log may go to a slow disk. A family has one.
type journal struct {
	*queue[line]
	lost atomic.Uint64
}

type line struct {
	level   slog.Level
	message string
	args    []any
}

func newJournal(to *slog.Logger) *journal {
	if to == nil {
		to = slog.Default()
	}
	return &journal{queue: newQueue(func(l line) { to.Log(context.Background(), l.level, l.message, l.args...) })}
}

// Error logs what people must know.
func (j *journal) Error(message string, args ...any) { j.say(line{slog.LevelError, message, args}) }

// Warn logs what people should know.
func (j *journal) Warn(message string, args ...any) { j.say(line{slog.LevelWarn, message, args}) }

func (j *journal) say(l line) {
	if !j.put(l) {
		j.lost.Add(1)
	}
}

// end logs all that is left, and how much there was no room for.
func (j *journal) end() {
	if n := j.lost.Load(); n > 0 {
		defer j.call(line{slog.LevelWarn, "pager: the log was too slow for all there was to say", []any{"lost", n}})
	}
	j.close()
}
