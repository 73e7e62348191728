# Everything a newcomer and the CI run. `make` alone lists the targets.
# Needed: GNU make and Python 3.11 or later with its venv module; everything else is installed into .venv from the
# locked files in requirements/, again only when these or pyproject.toml change.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# The first of these that runs and is new enough; choose another with: make demo PYTHON=/path/to/python
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3; do \
	if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$each"; break; fi; done)
# More arguments for the program behind a target: make test ARGS='-k worktime'
ARGS ?=

# On a terminal pip shows what it fetches, with its bars; anywhere else only what goes wrong.
PIP_INSTALL = $(BIN)/python -m pip $$(test -t 2 || echo -qq) --no-input --disable-pip-version-check install
HAS_VENV := $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev

# What an activated environment leaves behind must not leak into ours.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV __PYVENV_LAUNCHER__
# An environment that is gone or whose Python was removed is made again.
ifneq ($(shell $(HAS_VENV) && echo good),good)
.PHONY: $(RUN) $(DEV)
endif

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint format dashboards wheel lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

# Whoever has the tools for tests has what the demo needs.
demo: $(if $(wildcard $(DEV)),$(DEV),$(RUN)) ## a small one-stop system, watched: metrics, mail, report (Ctrl-C ends it)
	@exec $(BIN)/tthc-monitor demo $(ARGS)

test: $(DEV) ## the whole suite, on all cores
	@exec $(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

bench: $(DEV) ## the benchmarks; figures also in out/bench.json
	@exec $(BIN)/python -m tests.benchmarks --json out/bench.json $(ARGS)

lint: $(DEV) ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## mend what the formatter and the linter can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dashboards: $(DEV) ## the JSON of the Grafana dashboards, from tests/grafana_dashboards/*.py
	@$(BIN)/python -m tests.grafana_dashboards

wheel: $(DEV) ## the wheel, into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

lock: $(DEV) ## write requirements/*.txt anew from pyproject.toml (UPGRADE=1: newest versions)
	@$(BIN)/python requirements/lock.py $(if $(UPGRADE),--upgrade)

clean: ## remove what make made: .venv, caches, dist, out
	rm -rf $(VENV) build dist out .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): requirements/build.txt requirements/run.txt pyproject.toml
	$(call environment)
	@echo "make: installing the locked packages of the program; the first time this takes a minute"
	@$(PIP_INSTALL) --require-hashes -r requirements/build.txt -r requirements/run.txt
	$(call ourselves)

$(DEV): requirements/dev.txt pyproject.toml
	$(call environment)
	@echo "make: installing the locked packages for development; the first time this takes a minute or two"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	$(call ourselves)

define environment
@if ! $(HAS_VENV); then \
	if [ -z "$(PYTHON)" ]; then \
		echo "make: no Python 3.11 or later found; install one, or name it: make demo PYTHON=/path/to/python" >&2; exit 1; fi; \
	if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "make: $(PYTHON) is not Python 3.11 or later; name another: make demo PYTHON=/path/to/python" >&2; exit 1; fi; \
	if ! "$(PYTHON)" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
		echo "make: $(PYTHON) lacks its venv module; install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; fi; \
	echo "make: making $(VENV) with $$("$(PYTHON)" --version)"; \
	"$(PYTHON)" -m venv --clear "$(VENV)" || exit 1; \
fi
endef

define ourselves
@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
@touch $@
endef
