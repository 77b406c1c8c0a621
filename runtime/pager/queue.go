package pager

import "sync"

// A queue takes what happens to a callback, by a goroutine of its own, so that a
// slow callback delays no fault. Putting neither waits nor allocates.
type queue[T any] struct {
	call func(T)

	mu     sync.Mutex
	ready  sync.Cond
	ring   [1024]T
	first  int
	n      int
	closed bool
	gone   chan struct{}
}

func newQueue[T any](call func(T)) *queue[T] {
	q := &queue[T]{call: call, gone: make(chan struct{})}
	q.ready.L = &q.mu
	return q
}

// run calls back until the queue is closed, and empty.
func (q *queue[T]) run() {
	defer close(q.gone)
	for {
		x, ok := q.next()
		if !ok {
			return
		}
		q.call(x)
	}
}

func (q *queue[T]) next() (x T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n == 0 && !q.closed {
		q.ready.Wait()
	}
	if q.n == 0 {
		return x, false
	}
	var none T
	x, q.ring[q.first] = q.ring[q.first], none
	q.first = (q.first + 1) % len(q.ring)
	q.n--
	return x, true
}

// put adds to the queue, and reports whether there was room.
func (q *queue[T]) put(x T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == len(q.ring) || q.closed {
		return false
	}
	q.ring[(q.first+q.n)%len(q.ring)] = x
	q.n++
	q.ready.Signal()
	return true
}

// close waits until all that was put was called back for.
func (q *queue[T]) close() {
	q.mu.Lock()
	q.closed = true
	q.ready.Signal()
	q.mu.Unlock()
	<-q.gone
}
