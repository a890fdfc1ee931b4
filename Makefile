# Nothing but Python >= 3.11 is needed: every face makes .venv when there is none.
# PyTorch brings its CUDA libraries; PIP_EXTRA_INDEX_URL may name an index of smaller builds.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DATA_DIR ?=

.DEFAULT_GOAL := demo
.PHONY: demo test lint chaos bench bench-fronts zoo serve

# From nothing to a Pareto front and an exported network; everything lies in demo/ afterwards.
demo: $(READY)
	$(BIN)/resnas demo --output demo

# Everything that has to hold before a change is merged.
test: lint
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What the service withstands: processes killed for an hour and a half; every run prints a report.
chaos: $(READY)
	$(BIN)/python -m pytest -m chaos --capture no

# How fast it is; every script prints its own table.
bench: $(READY)
	set -e; for name in $(filter-out fronts,$(basename $(notdir $(wildcard tests/benchmarks/[!_]*.py)))); do \
	  echo "== $$name"; $(BIN)/python -m tests.benchmarks.$$name; done

# How good it is: every strategy beside the others, on pictures of RESNAS_DATASETS_DIR, in an hour or
# more; goes on where it was stopped, and writes tables and figures beside its trainings (fronts/).
bench-fronts: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	set -e; for part in fronts budgets toys; do $(BIN)/python -m tests.benchmarks.fronts $$part; done

# Every module of timm and torchvision on its whole way, in an hour or more; goes on where it was
# stopped (zoo/), and writes tests/e2e/zoo.md.
zoo: $(READY)
	$(BIN)/python -m tests.e2e.zoo

# The server with its worker, on http://127.0.0.1:8642; data in DATA_DIR where that is given.
serve: $(READY)
	$(BIN)/resnas serve $(if $(DATA_DIR),--data-dir $(DATA_DIR))

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11. Name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing resnas and what it needs into .venv (some minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
