package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/kernels"
)

var (
	errSilent   = errors.New("nothing was heard of init: the kernel did not boot, or qemu could not run it")
	errDeadline = errors.New("the guest was ended: it said nothing for longer than a package's tests may take")
	errEarly    = errors.New("the guest ended before its tests did")
)

// run runs a guest, whose qemu is a command, and returns what it wrote until it
// was done. boot bounds the time until init speaks, and silence that between two
// of its events. qemu's exit code says nothing (it is 0 after a kernel panic),
// so only the events count.
func run(ctx context.Context, command []string, boot, silence time.Duration) (t transcript, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	// qemu is to die with the thread that started it, which thus has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	console, err := cmd.StdoutPipe()
	cmd.Stderr = cmd.Stdout
	if err = errors.Join(err, cmd.Start()); err != nil {
		return t, err
	}
	watchdog := time.AfterFunc(boot, func() { end(errDeadline) })
	s := bufio.NewScanner(console)
	s.Buffer(nil, 1<<20) // a guest that writes more without an end of line is ended
	for !t.done && s.Scan() {
		if t.line(s.Text()) {
			watchdog.Reset(silence)
		}
	}
	switch err = cmp.Or(s.Err(), context.Cause(ctx), errEarly); {
	case t.Guest == nil && (err == errDeadline || err == errEarly):
		err = errSilent
	case t.done:
		err = t.whole()
	}
	end(nil)
	cmd.Wait()
	return t, err
}

// command returns the command that boots a kernel to an initramfs. A huge page
// of arm64 has 32 MiB, where pages have 16 KiB; hence the memory.
func command(k kernels.Kernel, image, initramfs string) []string {
	a, _ := arch.For(k.Arch)
	// Only what the kernel says in an emergency may come between the lines of
	// init; an oops makes the kernel say everything again.
	line := "console=" + a.Machine.Console + " loglevel=1 panic=-1 transparent_hugepage=madvise"
	return slices.Concat([]string{a.Machine.Qemu}, a.Machine.Args, []string{
		"-smp", "2", "-m", "2G",
		"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", image, "-initrd", initramfs, "-append", line,
	})
}
