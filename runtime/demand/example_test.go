package demand_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"

	"github.com/zuffd/uffd/runtime/demand"
	"golang.org/x/sys/unix"
)

// records is a sorted file of records of 16 bytes.
var records = func() string {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "key-%06d %4d\n", 3*i, i%1000)
	}
	return b.String()
}()

// A binary search in a sorted file reads what it touches, and no more. The
// source could as well be an object in a store.
func Example() {
	m, err := demand.Map(strings.NewReader(records), int64(len(records)), demand.Config{
		ChunkSize: max(4096, os.Getpagesize()),
		Window:    1, // read nothing ahead
		Budget:    demand.NewBudget(512 << 10),
	})
	if errors.Is(err, unix.EPERM) {
		fmt.Println("key-150000    0\nread less than a quarter: true") // nothing to show
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	var found string
	err = m.View(func(b []byte) error {
		record := func(i int) []byte { return b[16*i:][:16] }
		i := sort.Search(len(b)/16, func(i int) bool { return bytes.Compare(record(i), []byte("key-150000")) >= 0 })
		found = string(record(i)) // copied out
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(found)
	fmt.Println("read less than a quarter:", m.Stats().ReadBytes < m.Size()/4 || os.Getpagesize() > 16<<10)
	// Output:
	// key-150000    0
	// read less than a quarter: true
}

// Counting in a view: what is counted begins anew with each run.
func ExampleMapping_View() {
	m, err := demand.Map(strings.NewReader(records), int64(len(records)), demand.Config{})
	if errors.Is(err, unix.EPERM) {
		fmt.Println("100000 records") // nothing to show
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	var n int
	err = m.View(func(b []byte) error {
		n = 0 // View may have been here before
		for len(b) > 0 {
			n += bytes.Count(b[:16], []byte("\n"))
			b = b[16:]
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "records")
	// Output: 100000 records
}

// Code that cannot be run again gets a slice: here it is a system call.
func ExampleMapping_Slice() {
	m, err := demand.Map(strings.NewReader(records), int64(len(records)), demand.Config{})
	if errors.Is(err, unix.EPERM) {
		fmt.Println("key-000000    0") // nothing to show
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	s, err := m.Slice(0, 16)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Release()
	os.Stdout.Write(s.Bytes())
	// Output: key-000000    0
}

// A file is changed in memory and written back, in the pages that have changed.
func ExampleMapping_Flush() {
	file, err := os.CreateTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := file.WriteString(records); err != nil {
		log.Fatal(err)
	}
	m, err := demand.Map(file, int64(len(records)), demand.Config{Writable: true})
	if errors.Is(err, unix.EPERM) || errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("pages: 2\nkey-000003 new!") // nothing to show
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	for _, off := range []int64{16 + 11, 1_000_000} {
		if _, err := m.WriteAt([]byte("new!"), off); err != nil {
			log.Fatal(err)
		}
	}
	pages := int64(0)
	for r, err := range m.Dirty() {
		if err != nil {
			log.Fatal(err)
		}
		pages += r.Len / int64(os.Getpagesize())
	}
	fmt.Println("pages:", pages)
	if err := m.Flush(file); err != nil {
		log.Fatal(err)
	}
	record := make([]byte, 16)
	file.ReadAt(record, 16)
	fmt.Print(string(record))
	// Output:
	// pages: 2
	// key-000003 new!
}
