# `make` alone lists what there is.

# rustup puts cargo there, and a shell that was open before does not know it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.DEFAULT_GOAL := help
.PHONY: help run setup test torture smoke bench lint sqlx release

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

run: ## Check this machine, build, and start Mission Control on http://127.0.0.1:3000.
	@scripts/run.sh

setup: ## Install what is missing for building and testing (a C compiler, PostgreSQL, Chromium and its driver).
	@scripts/setup.sh

test: ## Run all tests.
	@scripts/test.sh

torture: ## Prove "at most once" at length: every point, a thousand faulty days, ten thousand operations. About an hour.
	@scripts/torture.sh

smoke: ## Send one SMS and place one call through the whole product, and show each step.
	cargo test --test it smoke:: -- --nocapture

bench: ## Measure asking against pgbench, and the console with a million operations and a thousand open pages: eight minutes.
	cargo bench --bench asking --bench console

lint: ## Check formatting, lints, documentation, and that .sqlx fits the statements and the schema.
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
	scripts/check-sqlx.sh

sqlx: ## Write .sqlx anew, after a change of a statement or a migration.
	scripts/with-database.sh scripts/write-sqlx.sh .sqlx

release: ## Build the optimised program, target/release/mission-control.
	cargo build --release --locked
