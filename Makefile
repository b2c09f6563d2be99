# Needs Python 3.11 or newer, make and git; everything else is installed into .venv.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.PHONY: help demo test lint types format bench lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

demo: .venv/.ready ## Make the example workspace, release a model, play 2012, open the console
	@$(BIN)/opsdeck demo $(ARGS)

test: .venv/.ready ## Run the tests (ARGS="tests/console -k json" for some of them)
	@$(BIN)/pytest -n 2 --dist loadscope $(ARGS)

lint: .venv/.ready ## Check style, formatting and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: .venv/.ready ## Check types, strictly
	@$(BIN)/mypy

format: .venv/.ready ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: .venv/.ready ## Run the benchmarks and print their tables
	@$(BIN)/python benchmarks/run.py $(ARGS)

COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"
lock: .venv/.ready ## Resolve the requirements anew into requirements/
	@$(COMPILE) --extra postgres --output-file requirements/run.txt
	@$(COMPILE) --extra postgres --extra aws --group dev --output-file requirements/dev.txt

clean: ## Remove caches and built files (keeps .venv and workspaces)
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	@rm -rf dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/.ready: requirements/dev.txt pyproject.toml scripts/bootstrap
	@PYTHON=$(PYTHON) ./scripts/bootstrap
