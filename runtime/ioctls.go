package userfaultfd

import (
	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/runtime/internal/sys"
)

// Ioctls is a set of operations: bit n stands for the ioctl whose number is n
// (the X_UFFDIO_* constants of package uffd). The kernel says with it which
// operations a userfaultfd has ([File.Ioctls]) and which of them work on a
// registered range ([File.Register]). Bits without a name are kept and
// printed as numbers.
type Ioctls uint64

// The operations.
const (
	IoctlRegister     Ioctls = 1 << uffd.X_UFFDIO_REGISTER
	IoctlUnregister   Ioctls = 1 << uffd.X_UFFDIO_UNREGISTER
	IoctlWake         Ioctls = 1 << uffd.X_UFFDIO_WAKE
	IoctlCopy         Ioctls = 1 << uffd.X_UFFDIO_COPY
	IoctlZeropage     Ioctls = 1 << uffd.X_UFFDIO_ZEROPAGE
	IoctlMove         Ioctls = 1 << uffd.X_UFFDIO_MOVE         // since Linux 6.8
	IoctlWriteProtect Ioctls = 1 << uffd.X_UFFDIO_WRITEPROTECT // since Linux 5.7
	IoctlContinue     Ioctls = 1 << uffd.X_UFFDIO_CONTINUE     // since Linux 5.13
	IoctlPoison       Ioctls = 1 << uffd.X_UFFDIO_POISON       // since Linux 6.6
	IoctlRWProtect    Ioctls = 1 << uffd.X_UFFDIO_RWPROTECT    // since Linux 7.3
	IoctlSetMode      Ioctls = 1 << uffd.X_UFFDIO_SET_MODE     // since Linux 7.3
	IoctlAPI          Ioctls = 1 << uffd.X_UFFDIO_API
)

var ioctlNames = sys.BitNames{Prefix: "UFFDIO_", Names: [64]string{
	uffd.X_UFFDIO_REGISTER:     "REGISTER",
	uffd.X_UFFDIO_UNREGISTER:   "UNREGISTER",
	uffd.X_UFFDIO_WAKE:         "WAKE",
	uffd.X_UFFDIO_COPY:         "COPY",
	uffd.X_UFFDIO_ZEROPAGE:     "ZEROPAGE",
	uffd.X_UFFDIO_MOVE:         "MOVE",
	uffd.X_UFFDIO_WRITEPROTECT: "WRITEPROTECT",
	uffd.X_UFFDIO_CONTINUE:     "CONTINUE",
	uffd.X_UFFDIO_POISON:       "POISON",
	uffd.X_UFFDIO_RWPROTECT:    "RWPROTECT",
	uffd.X_UFFDIO_SET_MODE:     "SET_MODE",
	uffd.X_UFFDIO_API:          "API",
}}

// String returns the names without UFFDIO_, joined by "|".
func (i Ioctls) String() string { return ioctlNames.Format(uint64(i)) }
