# `make demo` and `make test` set up everything that they need in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PROJECT := pyproject.toml setup.py
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test long lint format types contracts bench bench-operators bench-polybench bench-torch clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

demo: $(VENV)/.base  ## build, explain and time three kernels
	$(BIN)/akg demo

test: $(VENV)/.test  ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS)

long: $(VENV)/.test  ## run the long property tests too
	$(BIN)/python -m pytest -n $(WORKERS) -m "long or not long"

lint: $(VENV)/.dev  ## ruff
	$(BIN)/ruff check akg tests $(wildcard bench)

format: $(VENV)/.dev  ## let ruff format what it may
	$(BIN)/ruff format akg tests $(wildcard bench)

types: $(VENV)/.dev  ## basedpyright, strict
	$(BIN)/basedpyright --pythonpath $(BIN)/python

contracts: $(VENV)/.dev  ## import-linter: floors and cycles
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.test  ## compile time and speed tables
	@set -e; for file in bench/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file; done

bench-operators: $(VENV)/.test  ## operators beside the machine's limits and other libraries
	$(BIN)/python -m bench.operators $(ARGS)

bench-polybench: $(VENV)/.test  ## the thirty kernels of PolyBench beside gcc -O3, dataset LARGE
	$(BIN)/python -m bench.polybench --dataset LARGE --strategy auto $(ARGS)

bench-torch: $(VENV)/.test  ## models of torch.nn beside eager mode and Inductor
	$(PIP) install -e ".[torch]"
	$(BIN)/python -m bench.torch_models $(ARGS)

clean:  ## remove the environment and what tools left
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find akg tests $(wildcard bench) -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp per set of dependencies; a newer pyproject.toml installs again.
$(VENV)/.base: $(PROJECT) | $(BIN)/python
	$(PIP) install -e .
	@touch $@

$(VENV)/.test: $(PROJECT) | $(BIN)/python
	$(PIP) install -e ".[test]"
	@touch $@ $(VENV)/.base

$(VENV)/.dev: $(PROJECT) | $(BIN)/python
	$(PIP) install -e ".[dev]"
	@touch $@ $(VENV)/.base $(VENV)/.test
