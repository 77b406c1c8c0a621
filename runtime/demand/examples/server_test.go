package examples

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// A server serves a file over HTTP. It counts, and can break down.
type server struct {
	*httptest.Server
	file   string
	sent   atomic.Int64 // bytes of bodies
	ranges atomic.Int64 // requests for a part
	broken atomic.Bool
}

func serve(file string) *server {
	s := &server{file: file}
	s.Server = httptest.NewServer(s)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.broken.Load() {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	if r.Header.Get("Range") != "" {
		s.ranges.Add(1)
	}
	http.ServeFile(&counter{w, &s.sent}, r, s.file)
}

type counter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p))) // who gets them may look at once
	return c.ResponseWriter.Write(p)
}
