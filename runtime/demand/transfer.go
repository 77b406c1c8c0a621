package demand

// A transfer is work of one goroutine on chunks, which are busy meanwhile:
// reading them or taking them away.
type transfer struct {
	done     chan struct{} // closed when it is over
	first, n int           // the chunks
	end      int64         // where what is to be read ends
	wanted   bool          // the first chunk was asked for
	again    bool          // the first chunk was in place before
	repair   bool          // and wholly so, for all that is known
	taking   bool          // it takes them away

	have    int64  // up to where all is in place
	failure *Error // why no more than that
}

func newTransfer(c, n int) *transfer {
	return &transfer{done: make(chan struct{}), first: c, n: n}
}
