// Verify holds the bindings against oracles that share no code with the
// generator, and says what was compared with what.
//
// The flow is one way. Package claim has the generator say its model of each
// header on each architecture, and reads the Go files. Each oracle is a package
// with a function Ask, which holds what it knows against these claims:
//
//   - cc: C compilers for every architecture, on headers/; the files are laid
//     out by go/types, as the Go compiler does
//   - history: the kernel's headers of every release that Debian carries
//   - btf: the types that kernels themselves carry, the running one and those
//     whose images are at hand
//   - live: the running kernel, by ioctls
//
// Their answers are the report. The live tests of runtime/ and verify/ are run
// by go test on this kernel, by verify/vm on others.
//
// Usage, in the module's root:
//
//	go run ./verify [-install]
//
// It exits with 1 where a value differs, or an oracle could not be asked. Kernel
// headers and images are fetched through the machine's own apt configuration into
// $UFFD_CACHE or the user's cache directory.
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

	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/live"
)

// oracles are asked in this order.
var oracles = []func(ctx context.Context, root string, all claim.All) []claim.Answer{cc.Ask, history.Ask, btf.Ask, live.Ask}

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
	if missing := arch.MissingPackages(); install && len(missing) > 0 {
		fmt.Fprintln(w, debian.InstallLine(missing))
		if err := debian.Install(ctx, missing); err != nil {
			fmt.Fprintln(w, "not installed:", err) // the other oracles are asked all the same
		}
	}
	all, err := claim.Load(ctx, ".")
	if err != nil {
		return err
	}
	var answers report
	for _, ask := range oracles {
		answers = append(answers, ask(ctx, ".", all)...)
	}
	if missing := arch.MissingPackages(); len(missing) > 0 {
		defer fmt.Fprintf(w, "what is missing is Debian's %s: as root, %s\n", strings.Join(missing, " "), debian.InstallLine(missing))
	}
	return answers.write(w)
}
