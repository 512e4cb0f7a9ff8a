# Everything a developer runs. `make demo` and `make test` need nothing but python3, pip and make: they
# build .venv on first use, again when pyproject.toml or a pin changes, and are instant after that.

PYTHON ?= python3
WORKERS ?= 2
BENCH_ARGS ?=
HYPOTHESIS_PROFILE ?= ci
export HYPOTHESIS_PROFILE

PINS := requirements/test.txt
BIN := .venv/bin
PIP_INSTALL := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test browser slow lint format types docs bench clean
.DELETE_ON_ERROR:

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: .venv/base ## the main job, on data found on this machine
	@$(BIN)/thermix demo

test: .venv/test ## the quick test suite
	@$(PYTEST) -q -n $(WORKERS) -m "not slow"

browser: ## Chromium for the tests of pages, as root on Debian; without one they are skipped
	@command -v chromium >/dev/null || { apt-get -qq update && apt-get -qqy install --no-install-recommends chromium >/dev/null; }

slow: .venv/test ## the slow tests
	@$(PYTEST) -q -n $(WORKERS) -m slow tests || { s=$$?; [ $$s -eq 5 ] && echo "No test is marked slow."; }

lint: .venv/test ## ruff: lint, and formatting as it should be
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { $(BIN)/ruff format --check; exit 1; }

format: .venv/test ## ruff: fix what can be fixed, and format
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

types: .venv/test ## mypy, strict
	@$(BIN)/mypy

docs: .venv/test ## run the code of README.md, docs/ and examples/, check links
	@$(PYTEST) -q tests/test_readme.py

bench: .venv/test ## every benchmark (BENCH_ARGS=--full, or --tiny: only that it runs)
	@$(BIN)/python -m benchmarks $(or $(BENCH_ARGS),--quick)
	@set -e; for file in $(wildcard benchmarks/*_speed.py) benchmarks/deviation.py; do \
	    echo "== $$file"; $(BIN)/python "$$file" $(filter --tiny,$(BENCH_ARGS)); \
	done

clean: ## remove .venv and everything built
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Stamps: each is written only after its install succeeded.

.venv/base: pyproject.toml | .venv/made
	@echo "Installing thermix into .venv ..." >&2
	@$(PIP_INSTALL) -e .
	@touch $@

.venv/test: pyproject.toml $(PINS) | .venv/made
	@echo "Installing thermix and its test tools into .venv ..." >&2
	@$(PIP_INSTALL) -c $(PINS) -e '.[dev,data,torch,studio,grain,ray,fast]'
	@touch .venv/base $@

# Debian's python3 comes without ensurepip; its own pip then puts one into the new environment.
.venv/made:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not found. Name a Python 3.10 or newer: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "thermix needs Python 3.10 or newer; $(PYTHON) is %s. Name a newer one: make PYTHON=python3.11" % sys.version.split()[0])'
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; \
	    then $(PYTHON) -m venv --clear .venv; \
	    else $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install -qq pip; fi
	@touch $@
