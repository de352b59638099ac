# The whole interface for a person and for CI: `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin

# The first Python that is new enough; `make PYTHON=python3.12 setup` takes another.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$python; break; fi; done)

# How many events `make demo` produces; unset: the demo's own default. FOREVER=1 runs until Ctrl-C.
EVENTS ?=
FOREVER ?=
# More words for pytest, such as ARGS='-k offsets -x'.
ARGS ?=
# How many processes have the tests between them; 0: one, in the open (for --pdb). There may be more
# than cores, since many tests wait for a server.
WORKERS ?= 4
# A test goes to whoever is free: in their files the long ones stand side by side.
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --maxschedchunk 1

# Every process of a test run would compile all modules again where a container's image sets it.
unexport PYTHONDONTWRITEBYTECODE

# The locks are complete, so that there is nothing for pip to resolve.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
INSTALL_STREAMER := $(PIP_INSTALL) --no-build-isolation --editable .

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

# --- setting up -------------------------------------------------------------------------------
# A stamp says that what its lock names is installed, so that a second run costs nothing.

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo 'streamer needs Python 3.11 or later and found none.' >&2; \
		echo 'Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)' >&2; exit 1; fi
	@if ! $(PYTHON) -m venv $(VENV); then rm -rf $(VENV); \
		echo 'python -m venv failed: Debian and Ubuntu keep it in the package python3-venv.' >&2; \
		exit 1; fi

$(VENV)/.installed-run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo 'Installing what streamer runs on ...'
	@$(PIP_INSTALL) --require-hashes --requirement requirements/run.txt
	@$(INSTALL_STREAMER)
	@touch $@

# It holds all that run.txt does.
$(VENV)/.installed-dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo 'Installing what streamer is developed with ...'
	@$(PIP_INSTALL) --require-hashes --requirement requirements/dev.txt
	@$(INSTALL_STREAMER)
	@touch $@ $(VENV)/.installed-run

.PHONY: setup
setup: $(VENV)/.installed-dev ## Make .venv with the command .venv/bin/streamer and all tools
	@:

# It holds all that dev.txt does.
$(VENV)/.installed-extra: requirements/extra.txt $(VENV)/.installed-dev
	@echo 'Installing what make test-extra needs ...'
	@$(PIP_INSTALL) --require-hashes --requirement requirements/extra.txt
	@touch $@

# It holds all that dev.txt does.
$(VENV)/.installed-fuzz: requirements/fuzz.txt $(VENV)/.installed-dev
	@echo 'Installing what make fuzz needs ...'
	@$(PIP_INSTALL) --require-hashes --requirement requirements/fuzz.txt
	@touch $@

.PHONY: servers
servers: setup ## Fetch the Kafka broker and the registry that the tests use
	@$(BIN)/python -m tests.servers.fetch

# --- running ----------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.installed-run ## Show the main job: EVENTS=100000 for more, FOREVER=1 until Ctrl-C
	@$(BIN)/streamer demo $(if $(EVENTS),--events $(EVENTS)) $(if $(FOREVER),--forever)

# --- checking ---------------------------------------------------------------------------------

.PHONY: lint
lint: setup ## Ruff, formatting, mypy, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: format
format: setup ## Let ruff format and repair what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: check
check: setup ## Lint and the tests that need no server, in under a minute
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint check-tests

# A share of the random cases; `make test` takes them all.
.PHONY: check-tests
check-tests: setup
	@SEEDS=$${SEEDS:-10} EXAMPLES_PERCENT=$${EXAMPLES_PERCENT:-10} \
		$(PYTEST) tests/unit tests/property tests/simulation $(ARGS)

.PHONY: test
test: setup ## Every test, on a real Kafka broker and a real registry
	@started=$$SECONDS; $(BIN)/python -m tests.servers.fetch; $(PYTEST) $(ARGS); \
		echo "make test took $$((SECONDS - started)) s"

.PHONY: mutants
mutants: setup ## Break the core in some 85 places: the simulation must see each within SEEDS=300
	@$(BIN)/python -m tests.simulation.mutants --seeds $${SEEDS:-300} $(ARGS)

.PHONY: simulate
simulate: setup ## Any number of simulated worlds: SEEDS=10000, SEEDS=5000-5999; ARGS=--help
	@$(BIN)/python -m tests.simulation.simulate --seeds $${SEEDS:-300} $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.installed-fuzz ## Look for bytes that do harm: MINUTES=1 a target, ARGS='values', ARGS=--list
	@$(BIN)/python -m tests.fuzz.run --minutes $${MINUTES:-1} $(ARGS)

.PHONY: chaos
chaos: setup ## Real faults against real servers: ARGS='kill rebalance', ARGS=--quick, ARGS=--list
	@$(BIN)/python -m tests.chaos.run $(ARGS)

.PHONY: test-extra
test-extra: $(VENV)/.installed-extra ## What needs more: chart (Go), the page (Chromium), the SDK (Node.js)
	@started=$$SECONDS; $(BIN)/python -m tests.chart.fetch; $(BIN)/python -m tests.browser.fetch; \
		$(BIN)/python -m tests.sdk.fetch; \
		$(BIN)/pytest tests/chart tests/browser tests/sdk $(ARGS); \
		echo "make test-extra took $$((SECONDS - started)) s"

# --- measuring --------------------------------------------------------------------------------

.PHONY: quota-sharing
quota-sharing: setup ## What several processes get of one site's quota, in simulated hours
	@$(BIN)/python -m tests.simulation.quota_sharing

.PHONY: bench
bench: setup ## Speed beside a plain loop on a real Kafka; fails below the floors; ARGS=--help
	@$(BIN)/python -m tests.servers.fetch
	@$(BIN)/python -m bench.run $(ARGS)

# --- keeping ----------------------------------------------------------------------------------

UV_COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --no-header

.PHONY: lock
lock: setup ## Make the locks in requirements/ again from pyproject.toml; UPGRADE=1 takes new versions
	@$(UV_COMPILE) $(if $(UPGRADE),--upgrade) --group build --output-file requirements/run.txt
	@$(UV_COMPILE) $(if $(UPGRADE),--upgrade) --group build --group dev \
		--output-file requirements/dev.txt
	@$(UV_COMPILE) $(if $(UPGRADE),--upgrade) --group build --group dev --group extra \
		--output-file requirements/extra.txt
	@$(UV_COMPILE) $(if $(UPGRADE),--upgrade) --group build --group dev --group fuzz \
		--output-file requirements/fuzz.txt

.PHONY: docs
docs: setup ## Make the tables in docs/ and the chart's schema again from the code
	@$(BIN)/python -m streamer.config.reference docs/configuration.md
	@$(BIN)/python -m streamer.observability.reference docs/metrics.md
	@$(BIN)/python -m streamer.config.chart_schema helm/streamer/values.schema.json

.PHONY: clean
clean: ## Remove what was made; what was fetched for the tests stays
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean ## Remove what was fetched too
	@rm -rf .cache
