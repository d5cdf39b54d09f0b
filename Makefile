# `make` lists the targets. demo and test do all their own set-up and can be run again.

export ROCKSDB_LIB_DIR := $(shell .ci/setup rocksdb-folder)
export ROCKSDB_STATIC := 1
TARGET := $(or $(CARGO_TARGET_DIR),target)
BENCH ?= circuit prove verify ceremony names payments patterns audit-append failover xdp

.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint docs bench ebpf ebpf-check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install missing Debian packages, build RocksDB's archive once
	@.ci/setup

build: setup ## build every binary
	cargo build --locked --workspace --bins

demo: build ## follow money that no bank alone would stop through three banks
	$(TARGET)/debug/hansa-testnet demo

test: build ## run every test; what could not run is listed as SKIPPED at the end
	@.ci/test

lint: setup ## formatting, clippy with warnings denied
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo 'SKIPPED: cargo deny: cargo-deny is not installed (cargo install cargo-deny)'; fi

docs: build ## write the generated pages again (command line, metrics, crate graph)
	$(TARGET)/debug/hansa-testnet docs --write

bench: build ## measure; BENCH="prove verify" chooses, see docs/benchmarks.md
	$(TARGET)/debug/hansa-testnet bench $(BENCH)

ebpf: ## build the kernel program's objects again (xdp/object), after its sources changed
	xdp/ebpf/build

ebpf-check: ## build them in another folder and compare byte for byte; SKIPPED without the tools
	xdp/ebpf/build --check

clean: ## remove what was built here; the RocksDB archive in ~/.cache/hansa stays
	cargo clean
