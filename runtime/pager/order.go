package pager

import "sync"

// An order is the rule that no install decided before a REMOVE was read lands
// after it.
//
// madvise(2) queues its event and waits until that was read. Until then the
// kernel refuses every install (EAGAIN). After that it takes the pages away, at
// a moment that nobody is told. An install that goes wrong looks like this:
//
//	worker                    reader              the served process
//	page is Untouched: copy
//	                                              madvise: event queued
//	                          reads the event,
//	                          page is Removed
//	                                              madvise: page taken away
//	UFFDIO_COPY: no error
//	                                              reads old content
//
// So a worker looks at the state and issues the ioctl between beginInstall and
// endInstall, and messages are read, and their events applied, between beginRead
// and endRead; the two exclude each other. An install is then either wholly
// before the read, and what it installs is taken away with the rest, or wholly
// after it, and decided by the new state. Reading the source is no part of
// either.
//
// Any number of installs may go on at once: they are of different pages, or the
// kernel refuses one of them (EEXIST). A reader that waits lets no new one
// begin, so that a fault waits for one install at most.
//
// Processes that share memory share an order, because the event is read from the
// userfaultfd of one, and the install may be in the other's.
type order struct{ mu sync.RWMutex }

func (o *order) beginRead()    { o.mu.Lock() }
func (o *order) endRead()      { o.mu.Unlock() }
func (o *order) beginInstall() { o.mu.RLock() }
func (o *order) endInstall()   { o.mu.RUnlock() }
