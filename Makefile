# Every target does its own set-up: a virtual environment in .venv, made once and brought up to date
# when pyproject.toml or constraints.txt changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.DEFAULT_GOAL := help
.PHONY: help run test test-long lint types format bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.core ## inpaint the example photo with the shipped model; four results in out/
	$(BIN)/ediffuser inpaint examples/astronaut.png examples/astronaut-mask.png -o out/ --variations 4
	@echo "The results lie in $(CURDIR)/out"

test: $(VENV)/.dev ## run the tests
	$(BIN)/python -m pytest

test-long: $(VENV)/.dev ## run the tests, the slow ones included
	$(BIN)/python -m pytest -m "not network"

lint: $(VENV)/.dev ## check style, formatting and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache

types: $(VENV)/.dev ## check the types of the library
	$(BIN)/basedpyright

format: $(VENV)/.dev ## format the code and mend what can be mended automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## run every benchmark, one after the other
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

clean: ## remove caches and build products; keeps .venv, runs/ and out/
	rm -rf build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing ediffuser into $(VENV); the first time this takes a few minutes."
	$(INSTALL) .
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing ediffuser and its development tools into $(VENV); the first time this takes a few minutes."
	$(INSTALL) ".[dev]"
	@touch $@ $(VENV)/.core
