package examples

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// An object is what an HTTP server has at a URL, as an io.ReaderAt: each read is
// a range request.
type object struct {
	url string
}

// size asks for the object's size.
func (o object) size() (int64, error) {
	resp, err := http.Head(o.url)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64)
}

func (o object) ReadAt(p []byte, off int64) (int, error) {
	req, err := http.NewRequest("GET", o.url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return 0, fmt.Errorf("%s: %s", o.url, resp.Status)
	}
	return io.ReadFull(resp.Body, p)
}
