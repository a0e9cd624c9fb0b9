# Every target does its own set-up: a virtual environment in .venv, made once and brought up to date
# when pyproject.toml or constraints.txt changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# A file of tests on each core, on four at most, every process with one thread.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

PAGE := src/ediffuser/server/page/index.html
PAGE_SOURCES := $(shell find web/src web/public -type f 2>/dev/null) web/index.html web/vite.config.ts

.DEFAULT_GOAL := help
.PHONY: help run example page test test-python test-web test-browser test-long lint types format api bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.core $(PAGE) ## start the editor with the shipped model and open it in the browser
	$(BIN)/ediffuser serve --open

example: $(VENV)/.core ## inpaint the example photo on the command line; four results in out/
	$(BIN)/ediffuser inpaint examples/astronaut.png examples/astronaut-mask.png -o out/ --variations 4
	@echo "The results lie in $(CURDIR)/out"

page: $(PAGE) ## build the editor's page

test: test-python test-web test-browser ## run the tests

test-python: $(VENV)/.dev
	@scripts/debian.sh
	$(PYTEST)

test-web: web/node_modules/.installed
	npm --prefix web test

test-browser: $(VENV)/.dev $(PAGE)
	@scripts/chromium.sh
	npm --prefix web run e2e

test-long: $(VENV)/.dev $(PAGE) ## run the tests, the slow ones included
	@scripts/debian.sh
	$(PYTEST) -m "not network"
	$(MAKE) test-web test-browser

lint: $(VENV)/.dev web/node_modules/.installed ## check style, formatting and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache
	npm --prefix web run lint

types: $(VENV)/.dev web/node_modules/.installed ## check the types of the library and of the page
	$(BIN)/basedpyright
	npm --prefix web run types

api: $(VENV)/.dev web/node_modules/.installed ## bring web/openapi.json and the page's types up to date with the server
	$(BIN)/python scripts/openapi.py
	npm --prefix web run api

format: $(VENV)/.dev ## format the code and mend what can be mended automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## run every benchmark, one after the other
	$(INSTALL) ".[dev,bench]"
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

clean: ## remove caches and build products; keeps .venv, runs/ and out/
	rm -rf build dist web/test-results src/ediffuser/server/page .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

web/node_modules/.installed: web/package.json web/package-lock.json
	@command -v npm > /dev/null || { echo "Node.js 20.19 or newer with npm is needed for the page: see nodejs.org"; exit 1; }
	npm --prefix web ci --no-audit --no-fund
	@touch $@

$(PAGE): web/node_modules/.installed $(PAGE_SOURCES)
	npm --prefix web run --silent build

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing ediffuser into $(VENV); the first time this takes a few minutes."
	$(INSTALL) ".[serve]"
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing ediffuser and its development tools into $(VENV); the first time this takes a few minutes."
	$(INSTALL) ".[dev]"
	@touch $@ $(VENV)/.core
