package pager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
)

// A Config says what a pager serves, and how. The zero values of all but
// Regions are sensible, on Linux 6.6 and later.
type Config struct {
	// Regions is the memory to serve.
	Regions []Region

	// Resume is what [Pager.Pages] told of the pager that served the process
	// before, instead of the ranges of Regions, which may have moved since.
	Resume []Run

	// Process is a pidfd of the served process, whose end ends the pager, and
	// which [KillProcess] needs. It stays the caller's. Without one the pager
	// asks the kernel once a second, and so has a timer, which makes waiting for
	// faults a little slower.
	Process *os.File

	// Workers is how many reads of sources that do not lend may be under way
	// at once for faults, and how many more for each of Populate, Detach and
	// Replay; 0 is 8. A source that is asked again later holds none.
	Workers int

	// Readahead says how much is installed around a fault; the zero value is
	// the page alone.
	Readahead Readahead

	// Retry says how often a failing source is asked.
	Retry Retry

	// NoPoison says what happens to a page that cannot be had where the
	// kernel has no UFFDIO_POISON (before Linux 6.6, or where
	// userfaultfd.FeaturePoison was not asked for). New fails there if nothing
	// is said.
	NoPoison NoPoison

	// OnStop says what happens to what is owed when Serve's context is done.
	OnStop OnStop

	// ZeroOutside makes memory that is registered but in no region read as
	// zeros, instead of being poisoned. It is for processes that grow memory by
	// mremap(2). Memory that may be a region's file, mapped once more (mremap(2) of
	// no bytes), is poisoned still if nobody can tell what it is.
	//
	// Before Linux 5.16 a thread may fault in memory that another one has just
	// moved there, before the message of that can be read, and it finds zeros or
	// SIGBUS: the kernel forgets that it owes events as soon as one of any other is
	// read.
	ZeroOutside bool

	// TrackWrites installs every page write-protected, for [Pager.Written]. The
	// memory is registered with userfaultfd.RegisterWP too; on a userfaultfd
	// with FeatureWPAsync, writes cost no message. Pages of zeros take memory
	// then.
	TrackWrites bool

	// Spin is for how long after a message the pager polls for another before
	// it sleeps. It burns that much of a processor after every fault, up to all
	// of it, and saves the tens of microseconds that waking another CPU
	// takes. It pays where the pager has a CPU for itself; where no message
	// comes in time, it is soon tried after one fault in sixteen only.
	Spin time.Duration

	// Events, if not nil, is told of everything that happens, by a goroutine of
	// its own: it never delays a fault. Serve and Detach return when it has been
	// told of all, so it must not wait for them. If it is too slow, events are lost, and
	// Stats.EventsLost counts them. It is called once at a time, in the order of
	// what happened to one pager; children of the process have pagers of their
	// own, and Event.Pager says which it is.
	Events func(Event)

	// Forked, if not nil, is told of the pager of a child that the process has
	// forked. Serve serves the child too, and returns when both have ended.
	Forked func(child *Pager)

	// Logger is told what people must know: pages that failed, and why. nil
	// is slog.Default().
	Logger *slog.Logger
}

// A Retry says how a source that fails is asked again.
type Retry struct {
	Times   int           // how often it is asked in all; 0 is 3
	Backoff time.Duration // between the first two times, doubling after that up to a minute; 0 is 10 ms
}

// longestBackoff bounds how long a failing source is left alone.
const longestBackoff = time.Minute

// backoff returns how long to wait after so many failures.
func (r Retry) backoff(failures int) time.Duration {
	if d := r.Backoff << (failures - 1); d < longestBackoff && d>>(failures-1) == r.Backoff {
		return d
	}
	return max(longestBackoff, r.Backoff)
}

// NoPoison is what happens to a page that cannot be had, where it cannot be
// poisoned.
type NoPoison uint8

// The choices of [Config.NoPoison].
const (
	_            NoPoison = iota
	KillProcess           // SIGKILL, by Config.Process; not with userfaultfd.FeatureEventFork, since a child has no pidfd here
	LeaveWaiting          // its threads wait for ever; Config.Logger and Config.Events tell
)

// OnStop is what happens when Serve's context is done.
type OnStop uint8

// The choices of [Config.OnStop].
const (
	// PoisonOwed poisons every page that was not served, unregisters the
	// memory, and closes the userfaultfd: what is there can be used, all else
	// is SIGBUS. Where the kernel cannot poison, Config.NoPoison holds: the
	// process is killed, or the userfaultfd stays open.
	PoisonOwed OnStop = iota

	// HandOver leaves everything as it is, and the userfaultfd open: see
	// [Pager.File]. Children of the process have their own, of the pagers that
	// Config.Forked was told of: it takes that, with
	// userfaultfd.FeatureEventFork. What is not taken there stays open until the
	// child has ended, and its threads wait.
	HandOver
)

// A Pager serves the memory of one process.
type Pager struct {
	file       *userfaultfd.File
	cfg        Config
	log        *journal
	systemPage int
	pageSizes  []uint64 // of the regions, the system's first
	family     *family
	process    *process

	// The order's lock guards the space, and the states of its pages.
	order *order
	space space

	inheritance *inheritance // of a child that is not served yet

	kernel kernel

	copyMode     userfaultfd.CopyMode // write-protected, if writes are tracked
	continueMode userfaultfd.ContinueMode

	// The reader's own.
	msgs      []userfaultfd.Msg
	began     time.Time
	spin      spin
	alone     uint    // how many reads on end have brought one message; see room
	polled    bool    // the last one brought none, and the pager has not slept since
	faults    []fault // read and not yet looked at
	later     []fault // set aside, because the address space changes
	spare     []fault // room for later
	paid      []userfaultfd.Range
	recent    *recent   // what children of forks may have, or not
	unborn    []*Pager  // of such children, until that is known
	vacated   []vacated // what was unmapped just now
	backoff   time.Duration
	timed     bool // a deadline is set for what was set aside
	unread    bool // a message could not be read
	told      bool // ... and the log knows
	poisoning bool // the pager ends, and poisons what it owes

	streams    streams
	fetches    fetches
	doubts     doubts
	stats      counters
	populating atomic.Pointer[populating]
	events     *queue[Event]
	clock      latencies

	serving    atomic.Bool
	stopping   atomic.Pointer[error] // why; the reader is to end
	sources    context.Context       // of reads of the sources
	cancel     context.CancelFunc
	background sync.RWMutex      // held for reading by whoever populates
	bringers   atomic.Int32      // their workers
	over       bool              // and nobody may begin to
	kept       *userfaultfd.File // the caller's again
	ended      chan struct{}     // closed when Serve is done with this pager
	owned      []io.Closer       // what to close then
	work       sync.WaitGroup
	hooks      hooks
}

// A family is a pager and those of the children of its process.
type family struct {
	wg     sync.WaitGroup
	mu     sync.Mutex
	pagers []*Pager // being served
	ending error    // why no more are

	telling sync.Mutex // held while Config.Events is called
}

// hooks are for tests.
type hooks struct {
	decided  func(r userfaultfd.Range) // an install was decided, and is not issued yet
	refuse   func(o operation, r userfaultfd.Range) error
	alone    bool   // read one message at a time
	unsafe   bool   // leave the order rule out
	stopping func() // it was decided, and the reader is not told yet
	killTime time.Duration

	childhood time.Duration // between two looks at what a child has
}

// New returns a pager that serves the memory that f is of. f belongs to the
// pager from then on, and is closed by Serve, or given back by [Pager.File], as it
// is of a pager that is not to serve after all ([Pager.Close]);
// with an error it stays the caller's.
//
// The features of f are its opener's choice. Without
// userfaultfd.FeatureEventRemove, a page that the process discards before it was
// served gets its old content, and without the other events the pager knows
// nothing of munmap(2), mremap(2) and fork(2). Before Linux 6.17,
// userfaultfd.FeatureEventRemap takes userfaultfd.FeatureEventUnmap too, where a
// mremap(2) may move memory and shrink it: the one tells what is wrong in the other.
//
// A userfaultfd of this process's own memory is [ErrOwnMemory].
func New(f *userfaultfd.File, cfg Config) (*Pager, error) {
	if isOwnMemory(f) {
		return nil, ErrOwnMemory
	}
	return newPager(f, cfg)
}

// newPager is New for any memory.
func newPager(f *userfaultfd.File, cfg Config) (*Pager, error) {
	p := &Pager{
		file: f, cfg: cfg, log: newJournal(cfg.Logger), systemPage: os.Getpagesize(),
		order: new(order), family: new(family), kernel: kernelOf(sys.Release()),
		msgs: make([]userfaultfd.Msg, 64),
	}
	p.space.exact = p.kernel >= tellsLengths
	p.space.follows = p.kernel >= countsEvents && f.Features()&userfaultfd.FeatureEventUnmap != 0
	if err := p.cfg.check(f); err != nil {
		return nil, err
	}
	err := p.addRegions()
	if err == nil {
		err = p.checkMemory()
	}
	if err == nil && cfg.Process != nil {
		if p.process, err = openProcess(cfg.Process); err == nil {
			p.own(p.process)
		}
	}
	if err != nil {
		p.closeOwned()
		return nil, err
	}
	p.init()
	return p, nil
}

// init makes what every pager has, a child's too.
func (p *Pager) init() {
	p.sources, p.cancel = context.WithCancel(context.Background())
	p.ended = make(chan struct{})
	p.began, p.spin.most = time.Now(), p.cfg.Spin
	p.paid = make([]userfaultfd.Range, 0, 8)
	if p.cfg.TrackWrites {
		p.copyMode, p.continueMode = userfaultfd.CopyWP, userfaultfd.ContinueWP
	}
	p.fetches.init()
	p.streams.init(p.cfg.Readahead, p.systemPage)
	if p.cfg.Events != nil {
		p.events = newQueue(func(e Event) {
			p.family.telling.Lock()
			defer p.family.telling.Unlock()
			p.cfg.Events(e)
		})
	}
}

func (c *Config) check(f *userfaultfd.File) error {
	if c.Workers == 0 {
		c.Workers = 8
	}
	if c.Retry.Times == 0 {
		c.Retry.Times = 3
	}
	if c.Retry.Backoff == 0 {
		c.Retry.Backoff = 10 * time.Millisecond
	}
	switch {
	case len(c.Regions) == 0:
		return errors.New("pager: Config.Regions is empty: there is nothing to serve")
	case c.Workers < 0 || c.Retry.Times < 0 || c.Retry.Backoff < 0 || c.Spin < 0:
		return errors.New("pager: a negative number in Config")
	case f.Features()&userfaultfd.FeaturePoison == 0 && c.NoPoison == 0:
		return errors.New("pager: pages that cannot be had cannot be poisoned: userfaultfd.FeaturePoison was not asked for, or the kernel is older than Linux 6.6; set Config.NoPoison to what is to be done instead")
	case f.Features()&userfaultfd.FeatureEventFork != 0 && c.OnStop == HandOver && c.Forked == nil:
		return errors.New("pager: Config.OnStop is HandOver, and a child of fork(2) has a userfaultfd of its own (userfaultfd.FeatureEventFork), which would be nobody's: it takes Config.Forked")
	case c.NoPoison == KillProcess && c.Process == nil:
		return errors.New("pager: Config.NoPoison is KillProcess, which takes Config.Process")
	case c.NoPoison == KillProcess && f.Features()&userfaultfd.FeatureEventFork != 0 && f.Features()&userfaultfd.FeaturePoison == 0:
		return errors.New("pager: Config.NoPoison is KillProcess, and nobody tells the pidfd of a child of fork(2) (userfaultfd.FeatureEventFork): set LeaveWaiting, or, if the process does not fork, leave the feature out")
	}
	if c.TrackWrites && f.Features()&(userfaultfd.FeaturePagefaultFlagWP|userfaultfd.FeatureWPAsync) == 0 {
		return errors.New("pager: Config.TrackWrites takes userfaultfd.FeatureWPAsync or FeaturePagefaultFlagWP")
	}
	return c.Readahead.check()
}

// addRegions fills the space.
func (p *Pager) addRegions() error {
	backings := make([]*backing, len(p.cfg.Regions))
	contents := make(map[io.ReaderAt]*content)
	limit := int64(0)
	p.cfg.Regions = slices.Clone(p.cfg.Regions)
	p.pageSizes = []uint64{uint64(p.systemPage)}
	for i := range p.cfg.Regions {
		r := &p.cfg.Regions[i]
		if r.PageSize == 0 {
			r.PageSize = p.systemPage
		}
		if err := r.check(); err != nil {
			return err
		}
		if !slices.Contains(p.pageSizes, uint64(r.PageSize)) {
			p.pageSizes = append(p.pageSizes, uint64(r.PageSize))
		}
		limit = max(limit, r.end())
	}
	for i := range p.cfg.Regions {
		r := &p.cfg.Regions[i]
		c, err := p.contentOf(contents, r.Source, limit)
		if err != nil {
			return err
		}
		if c != nil && c.size < r.end() {
			return fmt.Errorf("pager: region %v wants its source up to %d, and the file has %d bytes", r.Range, r.end(), c.size)
		}
		backings[i] = newBacking(i, r, c)
		if p.cfg.TrackWrites && p.file.Features()&userfaultfd.FeatureWPAsync == 0 {
			backings[i].written = newBitmap(backings[i].states.n)
		}
		seg := segment{r.Range.Start, r.Range.End(), backings[i], 0}
		if p.cfg.Resume == nil {
			if err := p.addSegment(seg); err != nil {
				return err
			}
		}
	}
	for _, run := range p.cfg.Resume {
		if err := p.resume(run, backings); err != nil {
			return err
		}
	}
	return nil
}

// own has c closed when the pager has ended.
func (p *Pager) own(c io.Closer) { p.owned = append(p.owned, c) }

func (p *Pager) closeOwned() {
	for _, c := range p.owned {
		c.Close()
	}
}

func (p *Pager) addSegment(seg segment) error {
	r := userfaultfd.Range{Start: seg.start, Len: seg.end - seg.start}
	other := false
	p.space.within(r, func(segment) { other = true })
	if other {
		return fmt.Errorf("pager: region %v overlaps another", r)
	}
	p.space.insert(seg)
	return nil
}

// contentOf returns a source's content, the same for the same source.
func (p *Pager) contentOf(known map[io.ReaderAt]*content, source io.ReaderAt, limit int64) (*content, error) {
	if source == nil {
		return nil, nil
	}
	comparable := reflect.ValueOf(source).Comparable()
	if comparable && known[source] != nil {
		return known[source], nil
	}
	c, err := newContent(source, limit, p.own)
	if err == nil && comparable {
		known[source] = c
	}
	return c, err
}

// File returns the userfaultfd, which is the caller's again, if Serve has handed
// over or could not pay what it owes; else nil.
func (p *Pager) File() *userfaultfd.File {
	select {
	case <-p.ended:
		return p.kept
	default:
		return nil
	}
}
