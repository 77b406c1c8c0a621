package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
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
	errFlood    = fmt.Errorf("the guest was ended because it wrote more than %d MiB, or a line of more than %d", maxConsole>>20, maxLine>>20)
)

// limits on what a guest may write, in bytes.
const (
	maxLine    = 1 << 20
	maxConsole = 64 << 20
)

// run boots the guest and returns what it wrote. qemu's exit code says
// nothing (it is 0 after a kernel panic), so only the messages count.
func (g guest) run(ctx context.Context) (*transcript, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// qemu is to die with the thread that started it, which therefore has to
	// stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, g.command[0], g.command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	timer := time.AfterFunc(g.boot, func() { cancel(errSilent) })
	defer timer.Stop()
	end := time.AfterFunc(g.deadline, func() { cancel(errDeadline) })
	defer end.Stop()
	t := new(transcript)
	read := make(chan error, 1)
	go func() {
		limited := &io.LimitedReader{R: r, N: maxConsole}
		s := bufio.NewScanner(limited)
		s.Buffer(nil, maxLine)
		for s.Scan() {
			t.line(s.Text())
			if t.guest != nil {
				timer.Stop()
			}
			if t.done { // it powers off, or has tried to
				time.AfterFunc(5*time.Second, func() { cancel(nil) })
			}
		}
		err := s.Err()
		if limited.N == 0 || errors.Is(err, bufio.ErrTooLong) {
			err = errFlood
		}
		cancel(err)
		io.Copy(io.Discard, r)
		read <- err
	}()
	cmd.Wait()
	w.Close()
	if err := <-read; err != nil {
		return t, err
	}
	switch cause := context.Cause(ctx); {
	case t.done:
		return t, nil
	case t.guest == nil:
		return t, errSilent
	case errors.Is(cause, errDeadline):
		return t, errDeadline
	default:
		return t, errEarly
	}
}
