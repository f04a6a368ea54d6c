# What people and CI call. Everything here works in a fresh clone on Debian 12 with git, make and root or sudo.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# clang-format and clang-tidy look at these.
CXX_FILES = git ls-files --cached --others --exclude-standard '*.cc' '*.h'
FUZZ_SECONDS ?= 60

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the release program, build/release/troth, and the examples
	@scripts/install-packages.sh build
	cmake --preset release
	cmake --build --preset release

.PHONY: test
test: ## Install what is missing, build, and run every test
	@scripts/install-packages.sh test
	@scripts/install-test-tools.sh
	cmake --preset dev
	cmake --build --preset dev
	ctest --preset dev --parallel 2

.PHONY: run
run: build ## Run the demonstration: three services, who may call what, rotation under load
	examples/bridge/run.sh

.PHONY: demo
demo: build ## The same, but stay up and print commands to try by hand
	examples/bridge/run.sh --stay

.PHONY: attestor
attestor: ## Run the attestors' story: a service behind a real nginx, reloads under load
	@scripts/install-packages.sh test
	@$(MAKE) --no-print-directory build
	examples/attestor/run.sh

.PHONY: bench
bench: ## Run the benchmarks
	@scripts/install-packages.sh test
	@$(MAKE) --no-print-directory build
	cmake --build build/release --target bench/all
	bench/run.sh

.PHONY: fuzz
fuzz: ## Run each fuzzer for FUZZ_SECONDS (60)
	@scripts/install-packages.sh check
	scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: format
format: ## Format every C++ file
	@scripts/install-packages.sh check
	$(CXX_FILES) | xargs -r clang-format -i

.PHONY: lint
lint: ## Check format, layers and clang-tidy
	@scripts/install-packages.sh check
	$(CXX_FILES) | xargs -r clang-format --dry-run -Werror
	scripts/check-layers.py
	scripts/tidy.sh

.PHONY: packages
packages: ## Install every Debian package that build, tests and checks need
	scripts/install-packages.sh check

.PHONY: clean
clean: ## Remove what was built
	rm -rf build
