# Two commands for users: `make demo` and `make test`. For a developer's day: `make check`. Figures: `make bench`.
# Everything that they fetch or build goes into ignored folders (.cache, target, .twinloom); all are safe to repeat.

.PHONY: help demo test check bench build setup ui screenshots fmt parity clean

help: ## What there is.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## Build, run dags/twin.yaml on this repository (or SOURCES=…), approve (YES=1 does not ask), promote, ask.
	@infra/demo.sh

test: ## Everything: set-up, servers for the tests, all tests.
	@infra/test.sh

check: ## A developer's minute: format, lints, fast tests.
	@infra/check.sh

bench: ## Figures as JSON lines; ONLY=name,name runs some; PEERS_PYTHON=… puts peers beside them.
	@infra/bench/run.sh

build: setup ## Release binaries: target/release/twinloom and twinloom-torch.
	@cargo build --release -p twinloom -p twinloom-torch

setup: ## libtorch and the embedder's weights, into .cache.
	@infra/setup/all.sh

ui: ## The web UI, into engine/server/ui/dist (needs Node.js 20.19 or later).
	@infra/setup/node.sh

parity: ## Make the golden files again with the peers (PEERS_PYTHON=…), compare, and run the tests against them.
	@infra/golden/parity.sh

screenshots: ## Every page of the web UI at both themes and two widths, into engine/server/ui/screenshots.
	@infra/ui.sh screenshots

fmt: ## Format Rust and the DAG files.
	@cargo fmt

clean: ## Remove what was built and fetched (.twinloom, your state, stays).
	rm -rf target .cache
