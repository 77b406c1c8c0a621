package memory_test

import (
	"errors"
	"fmt"
	"log"
	"os"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
)

// What a poisoned page raises becomes an error.
func ExampleGuard() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeaturePoison,
		UserModeOnly: true, // takes no privilege
	})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("caught") // Linux before 6.6
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}
	if _, err := f.Poison(m.Range(), 0); err != nil {
		log.Fatal(err)
	}

	var sum int
	err = memory.Guard(m.Range(), func() {
		for _, b := range m.Bytes() { // _ = m.Bytes()[0] would touch nothing
			sum += int(b)
		}
	})
	var access *memory.AccessError
	if errors.As(err, &access) && m.Range().Contains(access.Address) {
		fmt.Println("caught")
	}
	// Output: caught
}
