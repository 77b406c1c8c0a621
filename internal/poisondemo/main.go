// Poisondemo poisons the middle one of three pages, touches all of them, and
// tells what happened.
package main

import (
	"errors"
	"fmt"
	"os"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	f, how, err := open()
	if err != nil {
		var missing *userfaultfd.UnsupportedError
		if errors.As(err, &missing) {
			fmt.Println(err) // nothing is wrong but the kernel's age
			return nil
		}
		return err
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 3*os.Getpagesize(), 0)
	if err != nil {
		return err
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		return err
	}
	for _, i := range []int{0, 2} {
		if _, err := f.Zeropage(m.Page(i), 0); err != nil {
			return err
		}
	}
	if _, err := f.Poison(m.Page(1), 0); err != nil {
		return err
	}
	fmt.Printf("\nuserfaultfd opened (%s); three pages of %d bytes at %#x, the middle one poisoned\n", how, m.PageSize(), m.Range().Start)
	for i := range 3 {
		var value byte
		err := memory.Guard(m.Range(), func() { value = m.Bytes()[i*m.PageSize()+42] })
		var access *memory.AccessError
		switch {
		case errors.As(err, &access):
			fmt.Printf("page %d  %v  a read raised SIGBUS at %#x, caught as an error\n", i, m.Page(i), access.Address)
		case err != nil:
			return err
		default:
			fmt.Printf("page %d  %v  reads %d\n", i, m.Page(i), value)
		}
	}
	return nil
}

// open asks for as much as the user may have.
func open() (f *userfaultfd.File, how string, err error) {
	f, err = userfaultfd.Open(userfaultfd.Config{Features: userfaultfd.FeaturePoison})
	if err == nil {
		return f, "for faults of user and kernel mode", nil
	}
	f, userErr := userfaultfd.Open(userfaultfd.Config{Features: userfaultfd.FeaturePoison, UserModeOnly: true})
	if userErr == nil {
		return f, "for faults of user mode only, which takes no privilege", nil
	}
	return nil, "", err
}
