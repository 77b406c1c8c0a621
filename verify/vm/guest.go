package main

import (
	"bufio"
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

// A guest is one boot of a kernel.
type guest struct {
	command  []string      // qemu and its arguments
	boot     time.Duration // until init speaks
	deadline time.Duration // until the guest is off
}

var (
	errSilent   = errors.New("nothing was heard of init: the kernel did not boot, or qemu could not run it")
	errDeadline = errors.New("the guest was ended at its deadline")
	errEarly    = errors.New("the guest ended before its tests did")
)

// maxLine is how much a guest may write without an end of line, in bytes.
const maxLine = 1 << 20

// run boots the guest and returns what it wrote. qemu's exit code says
// nothing (it is 0 after a kernel panic), so only the events count.
func (g guest) run(ctx context.Context) (*transcript, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, g.deadline, errDeadline)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	// qemu is to die with the thread that started it, which therefore has to
	// stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, g.command[0], g.command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	console, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	silent := time.AfterFunc(g.boot, func() { end(errSilent) })
	t := new(transcript)
	s := bufio.NewScanner(console)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		t.line(s.Text())
		if t.guest != nil {
			silent.Stop()
		}
		if t.done { // it powers off, or has tried to
			time.AfterFunc(5*time.Second, func() { end(nil) })
		}
	}
	switch {
	case s.Err() != nil:
		end(s.Err())
	case t.guest == nil:
		end(errSilent)
	default:
		end(errEarly)
	}
	cmd.Wait()
	if t.done {
		return t, nil
	}
	return t, context.Cause(ctx)
}

// machineOf returns what emulates a kernel's architecture.
func machineOf(k kernels.Kernel) *arch.Machine {
	a, _ := arch.For(k.Arch)
	return a.Machine
}

// command returns the command that boots a kernel to an initramfs.
func command(k kernels.Kernel, image, initramfs string) []string {
	m := machineOf(k)
	memory := "1024M"
	if k.Arch == "arm64" { // with pages of 16 KiB, a huge one has 32 MiB
		memory = "2048M"
	}
	// Only what the kernel says in an emergency may come between the lines of
	// init; an oops makes the kernel say everything again.
	line := "console=" + m.Console + " loglevel=1 panic=-1 transparent_hugepage=madvise"
	return slices.Concat([]string{m.Qemu}, m.Args, []string{
		"-smp", "2", "-m", memory,
		"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", image, "-initrd", initramfs, "-append", line,
	})
}
