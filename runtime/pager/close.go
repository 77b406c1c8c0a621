package pager

import "errors"

var (
	errClosed  = errors.New("pager: the pager was closed")
	errServing = errors.New("pager: Close while Serve serves: end its context, or Detach")
)

// Close releases a pager that is not to serve: the files that it has mapped, and its
// descriptors. The userfaultfd stays open and is the caller's again ([Pager.File]),
// since closing it would let threads that wait find zeros. Serve, Populate and
// Detach fail from then on; a Populate that is under way ends first.
//
// Serve releases everything by itself when it returns: Close does nothing then, nor
// when it was called before. While Serve serves, Close fails, and changes nothing.
func (p *Pager) Close() error {
	if !p.serving.CompareAndSwap(false, true) {
		select {
		case <-p.ended:
			return nil
		default:
			return errServing
		}
	}
	p.stop(errClosed)
	p.keep(errClosed)
	p.closeOwned()
	close(p.ended)
	return nil
}
