// Verify holds the bindings against oracles that share no code with the
// generator, and says what was compared with what:
//
//   - C compilers for every architecture, on headers/ and on the kernel's own
//     headers of the same release; the files are laid out by go/types, as the
//     Go compiler does
//   - the kernel's headers of every release that Debian carries
//   - BTF, the types that kernels themselves carry: the running one, and those
//     whose images are at hand
//   - the running kernel, asked by ioctls, and the live tests
//
// Usage, in the module's root:
//
//	go run ./verify [-install]
//
// It exits with 1 where a value differs, a test fails, or an oracle could not
// be asked. Kernel headers and images are fetched through the machine's own
// apt configuration into $UFFD_CACHE or the user's cache directory.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/zuffd/uffd/verify/debian"
)

func main() {
	install := flag.Bool("install", false, "install missing compilers with apt-get, as root")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *install); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, install bool) error {
	missing := ensureCompilers(ctx, w, install)
	s, err := newSubject(ctx)
	if err != nil {
		return err
	}
	r := report{results: s.askAll(ctx)}
	os.Setenv("UFFD_VERIFY", "1") // tests may fetch, and are to lack no oracle
	r.tests, err = liveTests(ctx)
	if err != nil {
		return err
	}
	var advice []string
	if cache, err := debian.Open(); err == nil {
		advice = append(advice, unaskedKernels(cache)...)
	}
	if len(missing) > 0 {
		advice = append(advice, installAdvice(missing))
	}
	r.advice = strings.Join(advice, "\n")
	return r.write(w)
}
