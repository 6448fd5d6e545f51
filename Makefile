# One door to everything. `make help` lists the targets.
# Each target makes what it needs: a virtual environment in .venv, the dependencies pinned in
# constraints.txt, and the extension in release mode. Nothing outside this folder is changed.

PYTHON ?= python3
VENV   := .venv
DIST   := dist
BIN    := $(CURDIR)/$(VENV)/bin
PY     := $(BIN)/python
RUST   := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name 'Cargo.toml')

# The oldest versions that do, each said once: in pyproject.toml and in Cargo.toml.
PYTHON_FLOOR := $(shell sed -nE 's/^requires-python = ">=([0-9.]+)"/\1/p' pyproject.toml)
RUST_FLOOR   := $(shell sed -nE 's/^rust-version = "([0-9.]+)"/\1/p' Cargo.toml)

SHAPES = ml1m films
JOBS   = cloze next_item relevance negatives rank top_k ingest evaluate
BENCH  = $(BIN)/seqrec bench --limits benches/results/limits.json

# Keeps the folders of the building machine out of the messages inside the extension.
NO_PATHS = --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo --remap-path-prefix=$(CURDIR)=seqrec

export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help
.PHONY: help demo test test-rust test-python test-slow test-gpu lint format bench bench-rust bench-instructions bench-peers bench-peers-training bench-peers-quality wheel sdist clean
.PHONY: check-tools

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

demo: $(VENV)/extension.stamp ## train both models on both tasks on simulated data and compare them
	$(BIN)/seqrec demo

test: test-rust test-python ## run the tests (real-data tests need SEQREC_DATA)

test-rust: $(VENV)/tools.stamp
	cargo test --workspace --locked --quiet

test-python: $(VENV)/extension.stamp
	$(PY) -m pytest -m "not slow and not gpu" --cov --cov-report=term

test-slow: $(VENV)/extension.stamp ## run the tests that take longer than CI allows
	HYPOTHESIS_PROFILE=release $(PY) -m pytest -m slow

test-gpu: $(VENV)/extension.stamp ## run the tests that need a CUDA device
	$(PY) -m pytest -m gpu

lint: $(VENV)/extension.stamp ## formatting, lints, types, stubs, layering
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(BIN)/pyright
	$(PY) -m mypy.stubtest seqrec._core
	$(BIN)/lint-imports

format: $(VENV)/extension.stamp ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cargo fmt --all

bench: $(VENV)/extension.stamp target/limits ## time seqrec beside its contenders on a quiet machine: benches/results
	target/limits benches/results/limits.json
	$(foreach shape,$(SHAPES),$(BENCH) --shape $(shape) $(JOBS:%=--job %) --out benches/results/$(shape) &&) true
	$(BENCH) --shape million --job rank --job top_k --out benches/results/million
	$(BENCH) --shape ml1m --job data_wait --batch-size 64 --max-seq-len 50 --rounds 21 --out benches/results/data-wait
	$(BIN)/seqrec bench --grow --out benches/results/growth

target/limits: benches/rust/limits.rs
	@mkdir -p target benches/results
	rustc --edition 2024 -C opt-level=3 -C target-cpu=native $< -o $@

bench-rust: $(VENV)/tools.stamp ## time the kernels alone, over sizes and threads
	cargo bench --locked --workspace

bench-instructions: $(VENV)/tools.stamp ## count the kernels' instructions and compare with the record
	$(PY) benches/instructions.py

bench-peers: $(VENV)/extension.stamp ## time RecBole, RecTools, RePlay and others beside it, each in its own environment
	$(PY) benches/peers/run.py --out benches/results/peers.json

bench-peers-training: $(VENV)/extension.stamp ## time their training steps beside it
	$(PY) benches/peers/run.py --training --rounds 5 --out benches/results/peers-training.json

bench-peers-quality: $(VENV)/extension.stamp ## validation ndcg@10 after minutes of their training: PREPARED=ml-1m, a prepared folder
	$(PY) benches/peers/quality.py $(or $(PREPARED),ml-1m) --out benches/results/quality
	$(BIN)/seqrec curves benches/results/quality/* --out docs/quality.png

wheel: $(VENV)/deps.stamp ## build the manylinux2014 abi3 wheel into dist/
	PATH="$(BIN):$$PATH" RUSTFLAGS="$(NO_PATHS)" $(BIN)/maturin build --release --locked --zig --compatibility manylinux2014 --out $(DIST)

sdist: $(VENV)/deps.stamp ## build the source distribution into dist/
	$(BIN)/maturin sdist --out $(DIST)

clean: ## remove everything that make made, but not downloaded or trained things
	rm -rf $(VENV) target dist python/seqrec/_core*.so

# --- set-up ----------------------------------------------------------------------------------------

OLD_PYTHON = "seqrec needs Python >= $(PYTHON_FLOOR); $(PYTHON) is " + sys.version.split()[0] + " (name another: make PYTHON=...)"

check-tools:
	@command -v $(PYTHON) >/dev/null || { echo "seqrec needs Python >= $(PYTHON_FLOOR): there is no $(PYTHON) (name another: make PYTHON=...)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; floor = tuple(map(int, "$(PYTHON_FLOOR)".split("."))); sys.exit(0 if sys.version_info >= floor else $(OLD_PYTHON))'
	@command -v cargo >/dev/null && command -v rustc >/dev/null || { echo "seqrec needs Rust >= $(RUST_FLOOR): there is no cargo or no rustc (rustup installs both)" >&2; exit 1; }
	@rustc --version | awk -v floor=$(RUST_FLOOR) '{ split($$2, is, "."); split(floor, least, "."); exit is[1] * 1000 + is[2] < least[1] * 1000 + least[2] }' || { echo "seqrec needs Rust >= $(RUST_FLOOR); this is $$(rustc --version) (rustup update)" >&2; exit 1; }

$(VENV)/tools.stamp: | check-tools
	$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt uv || echo "uv cannot be installed: going on with pip, which is slower"
	@touch $@

$(VENV)/deps.stamp: $(VENV)/tools.stamp constraints.txt pyproject.toml
	@echo "installing the dependencies (torch is large: minutes the first time)"
	@if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install --quiet -c constraints.txt -r pyproject.toml --extra dev --extra bench; else \
	$(PY) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *p["optional-dependencies"]["dev"], *p["optional-dependencies"]["bench"], sep="\n")' >$(VENV)/requirements.txt && \
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -r $(VENV)/requirements.txt; fi
	@touch $@

$(VENV)/extension.stamp: $(VENV)/deps.stamp $(RUST)
	@echo "building the extension in release mode"
	@$(BIN)/maturin develop --release --quiet --locked $$([ -x $(BIN)/uv ] && echo --uv)
	@touch $@
