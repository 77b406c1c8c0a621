package bindings

import "fmt"

// A Source is a header that files are generated from.
type Source struct {
	Header string // as included
	Stem   string // what the files' names begin with
}

// Sources are all of them.
var Sources = []Source{
	{"linux/userfaultfd.h", "zuffd"},
	{"linux/fs.h", "zpagemap"},
}

// File returns the name of the file for a GOARCH.
func (s Source) File(goarch string) string { return fmt.Sprintf("%s_linux_%s.go", s.Stem, goarch) }
