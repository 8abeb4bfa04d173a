# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Needed beforehand: Python 3.11 or newer with venv, git, make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
JOBS ?= 2
# workers for tests that mostly wait: they use a quarter of two cores
WAITING_JOBS ?= 4
# pytest ends with 5 where no test was chosen; with ARGS a part may well be empty
NONE_IS_FINE = $(if $(ARGS),|| [ $$? -eq 5 ])
INFLUXD := .cache/influxd
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test test-fast soak lint bench screenshots influxd lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed ## make .venv/ with necktrace in it, from the lock file

install-dev: $(VENV)/.installed-dev ## the same with what tests and linters need

demo: install ## two simulated sensors, the whole system, a page in the browser (ARGS='--duration 60')
	@$(BIN)/necktrace demo $(ARGS)

test: install-dev influxd ## linters, type checks, import contracts and every test
	@$(MAKE) --no-print-directory lint
	@echo "tests, side by side:"
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not realtime" -q $(ARGS) $(NONE_IS_FINE)
	@echo "tests that work in real time and mostly wait, side by side:"
	@$(BIN)/python -m pytest -n $(WAITING_JOBS) --dist loadfile --no-loadscope-reorder -m "realtime and not browser" -q $(ARGS) $(NONE_IS_FINE)
	@echo "tests in a browser, side by side:"
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "realtime and browser" -q $(ARGS) $(NONE_IS_FINE)

# the one file whose import takes seconds holds slow tests only
test-fast: install-dev ## what a change is tried with every minute
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" -q tests/unit --ignore tests/unit/api/access/test_fuzzed.py $(ARGS)

soak: install-dev influxd ## the long forms of the proofs in docs/reliability.md (about half an hour)
	@$(BIN)/python -m pytest --soak -v $(ARGS)

lint: install-dev ## ruff, mypy, import contracts, spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

bench: install-dev ## ratios against the C++ package vqf, latency, storage sizes
	@$(BIN)/python -m tests.benchmarks $(ARGS)

screenshots: install-dev ## pictures of every page in build/screenshots, the few of the docs in docs/screenshots
	@$(BIN)/python -m tests.browser.screenshots --docs docs/screenshots $(ARGS)

influxd: ## a real InfluxDB 2.7.12 for the tests, built from source where Go, gcc and cargo exist
	@sh tests/influxd/build.sh $(INFLUXD)

lock: install-dev ## write the lock files anew from pyproject.toml
	@sh tests/packaging/lock.sh $(BIN)

clean: ## remove the environment and every cache of this checkout
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "necktrace needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv is missing. Run:  sudo apt install python3-venv"; exit 1; }
	@echo "[1/3] making $(VENV)/"
	@$(PYTHON) -m venv $(VENV)

# The start of each phase is kept so that the first minute can be accounted for.
$(VENV)/.installed: requirements.lock requirements-node.lock pyproject.toml package-lock.json hatch_build.py | $(VENV)/bin/python
	@start=$$(date +%s); \
	echo "[2/3] installing the locked packages (about a minute the first time)"; \
	$(PIP) install --quiet --require-hashes --no-deps -r requirements.lock || { \
	  echo "The packages could not be fetched: check the network, then run make again."; exit 1; }; \
	echo "      packages: $$(( $$(date +%s) - start )) s"
	@command -v npm >/dev/null 2>&1 || { echo "      no Node.js here: taking it from a Python wheel for the build"; \
	  $(PIP) install --quiet --require-hashes --no-deps -r requirements-node.lock; }
	@start=$$(date +%s); \
	echo "[3/3] installing necktrace"; \
	PATH="$(abspath $(BIN)):$$PATH" $(PIP) install --quiet --no-build-isolation --no-deps -e . && \
	echo "      necktrace: $$(( $$(date +%s) - start )) s"
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@start=$$(date +%s); \
	echo "installing what the tests need"; \
	$(PIP) install --quiet --require-hashes --no-deps -r requirements-dev.lock && \
	echo "      test packages: $$(( $$(date +%s) - start )) s"
	@touch $@
