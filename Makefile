# uffd: Linux's userfaultfd(2) for Go. `make help` lists the targets.

GO ?= go
export CGO_ENABLED ?= 0

# The architectures of the bindings.
ARCHES = 386 amd64 arm arm64 loong64 mips64le ppc64le riscv64 s390x

# The headers that the bindings are generated from.
UAPI = linux/userfaultfd.h linux/fs.h

.PHONY: all help generate check kernel poison test lint verify sweep vm results bench fuzz

all: generate poison ## regenerate the bindings, and poison a page before your eyes (the default)

help: ## say in a line what each target does
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

generate: ## regenerate the bindings from headers/, and say what changed
	@$(GO) generate ./...

check: ## fail, and show the difference, if a generated file is not what headers/ says
	@$(GO) run ./gen -check -arch all linux/userfaultfd.h
	@$(GO) run ./gen -check -arch all -name pagemap linux/fs.h

kernel: ## bring headers/ and the bindings up to a newer kernel; HEADERS=DIR is its include root, ARGS='-h'
	@test -n "$(HEADERS)" || { echo "HEADERS=DIR, please: the include root of a newer kernel (make headers_install, or a distribution's package)"; exit 1; }
	@$(GO) run ./gen/edition -sysroot "$(HEADERS)" $(ARGS) $(UAPI)
	@$(GO) generate .

poison: ## poison a page: what a touch of it raises, and that its neighbours still read
	@$(GO) run ./internal/poisondemo

# The pattern "work" is every package of the modules that go.work joins. Some
# tests run the go command, of whose sources the cache of results knows nothing:
# hence -count=1.
test: ## run every test that this machine can run
	$(GO) test -count=1 work

lint: ## gofmt, go vet on every architecture, staticcheck, tidy modules, documentation of every symbol
	@$(GO) run ./gen -undescribed $(UAPI)
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	@for dir in . verify; do for arch in $(ARCHES); do (cd $$dir && GOWORK=off GOARCH=$$arch $(GO) vet ./...) || exit 1; done; done
	@$(GO) vet work
	@$(GO) tool staticcheck work
	@for dir in $$($(GO) list -m -f '{{.Dir}}'); do (cd $$dir && GOWORK=off $(GO) mod tidy -diff) || exit 1; done

verify: ## hold every offset and number against compilers, kernels' headers and kernels; as root, or with vm.unprivileged_userfaultfd=1; INSTALL=1 installs compilers, as root
	@$(GO) run ./verify $(if $(filter 1,$(INSTALL)),-install)
	@UFFD_VERIFY=1 $(GO) test -count=1 ./runtime/... ./verify/live ./verify/btf ./verify/lies ./verify/predefined

VM = $(GO) run ./verify/vm $(if $(KERNELS),-dir $(KERNELS)) $(if $(filter 1,$(INSTALL)),-install)

# What guests run: PKGS says which packages' tests, ARGS flags. The examples of
# demand are a module of their own, which wants a network and much memory. Under
# emulation, some packages take minutes.
PKGS = ./runtime ./runtime/memory ./runtime/pagemap ./runtime/probe ./runtime/pager ./runtime/demand ./verify/live ./verify/btf

vm: ## boot kernels and run the live tests in them; KERNELS=DIR for images of your own, INSTALL=1 for qemu, ARGS='-h'
	@$(VM) -timeout 10m $(ARGS) $(PKGS)

results: ## make vm, and write what came of it to verify/RESULTS.md
	@$(VM) -timeout 10m -results verify/RESULTS.md $(ARGS) $(PKGS)

sweep: ## every kernel header of four releases through the generator, compared with gcc on four architectures; writes verify/SWEEP.md; ARGS='-h'
	@$(GO) run ./verify/sweep -release 7.3,6.12,6.1,5.10 -results verify/SWEEP.md $(ARGS)

bench: ## run every benchmark
	$(GO) test -timeout 0 -run '^$$' -bench . -benchmem work # a timeout is a timer, which waits for faults are slower with

fuzz: ## fuzz the readers of foreign bytes, half a minute each
	@grep -rEo '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | sed -E 's,^(.*)/[^/]*:func (.*)$$,\1 \2,' | while read -r dir target; do \
		echo "$$dir $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime 30s -fuzzminimizetime 1x "$$dir" || exit 1; \
	done
