//go:build amd64 || arm64

package examples

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/zuffd/uffd/runtime/demand"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
	"modernc.org/sqlite/vfs"
)

// database is a file system of one file, the mapping, as SQLite's VFS wants it.
type database struct {
	mapping *demand.Mapping
	failure atomic.Pointer[error] // the last one, which SQLite calls "disk I/O error"
}

func (d *database) Open(name string) (fs.File, error) {
	if name != "words.db" {
		return nil, fs.ErrNotExist
	}
	return &file{d.mapping.Section(0, d.mapping.Size()), d}, nil
}

// A file is the mapping while SQLite has it open.
type file struct {
	*demand.Section
	d *database
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.Section.Read(p)
	if e := (*demand.Error)(nil); errors.As(err, &e) {
		f.d.failure.Store(&err)
	}
	return n, err
}

func (f *file) Stat() (fs.FileInfo, error) { return info(f.Size()), nil }
func (f *file) Close() error               { return nil }

// info is the size of a file.
type info int64

func (i info) Name() string     { return "words.db" }
func (i info) Size() int64      { return int64(i) }
func (info) Mode() fs.FileMode  { return 0o444 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }

// A SQLite database lies on an HTTP server. It is queried as it is: only the
// parts that a query touches are fetched, once. When the server breaks down,
// the query that needs more returns its error, and others go on; Retry lets it
// be asked again.
func Example_sqlite() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "words.db")
	if err := create(name); err != nil {
		log.Fatal(err)
	}
	server := serve(name)
	defer server.Close()

	source := object{server.URL}
	size, err := source.size()
	if err != nil {
		log.Fatal(err)
	}
	m, err := demand.Map(source, size, demand.Config{
		ChunkSize: max(16<<10, os.Getpagesize()),
		Window:    16 << 10, // an index is touched all over: nothing is read ahead
		Budget:    demand.NewBudget(4 << 20),
	})
	if errors.Is(err, unix.EPERM) {
		fmt.Println(unpermitted)
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	d := &database{mapping: m}
	vfsName, registered, err := vfs.New(d)
	if err != nil {
		log.Fatal(err)
	}
	defer registered.Close()
	db, err := sql.Open("sqlite", "file:words.db?mode=ro&immutable=1&vfs="+vfsName)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	lookUp := func(word string) {
		var meaning string
		err := db.QueryRow("SELECT meaning FROM words WHERE word = ?", word).Scan(&meaning)
		if failure := d.failure.Swap(nil); err != nil && failure != nil {
			err = fmt.Errorf("%w: %w", err, *failure)
		}
		if err != nil {
			var e *demand.Error
			fmt.Printf("%s: error, of the server: %v\n", word, errors.As(err, &e))
			return
		}
		fmt.Printf("%s: %s\n", word, meaning)
	}

	lookUp("word-123456")
	fetched := server.sent.Load()
	fmt.Println("fetched less than a hundredth:", 0 < fetched && fetched < size/100)
	lookUp("word-123456")
	fmt.Println("and nothing for the second time:", server.sent.Load() == fetched)

	server.broken.Store(true)
	lookUp("word-000777")
	lookUp("word-123456")

	server.broken.Store(false)
	lookUp("word-000777")
	if err := m.Retry(0, size); err != nil {
		log.Fatal(err)
	}
	lookUp("word-000777")

	// Output:
	// word-123456: the meaning of 123456
	// fetched less than a hundredth: true
	// word-123456: the meaning of 123456
	// and nothing for the second time: true
	// word-000777: error, of the server: true
	// word-123456: the meaning of 123456
	// word-000777: error, of the server: true
	// word-000777: the meaning of 777
}

const unpermitted = `word-123456: the meaning of 123456
fetched less than a hundredth: true
word-123456: the meaning of 123456
and nothing for the second time: true
word-000777: error, of the server: true
word-123456: the meaning of 123456
word-000777: error, of the server: true
word-000777: the meaning of 777`

// create makes a database of 200,000 words, about 30 MB.
func create(name string) error {
	db, err := sql.Open("sqlite", "file:"+name)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`
		PRAGMA journal_mode = OFF;
		CREATE TABLE words (word TEXT, meaning TEXT, essay TEXT);
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 199999)
		INSERT INTO words SELECT printf('word-%06d', i), 'the meaning of ' || i, hex(randomblob(50)) FROM n;
		CREATE INDEX by_word ON words (word)`)
	return err
}
