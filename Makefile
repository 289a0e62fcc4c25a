# Each target says what it does: `make` lists them.
PYTHON := .venv/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help rehearse test check clean lock setup

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

rehearse: setup ## move a core between two disposable hosts of this machine (ARGS="--fault NAME", "--fresh")
	$(PYTHON) -m pytest features/ $(ARGS)

test: setup ## run the tests (ARGS="-k lasting")
	$(PYTHON) -m pytest tests/ $(ARGS)

check: setup ## format, lint, types, layers
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) .venv/bin/lint-imports

clean: ## end the rehearsal hosts that were kept, and delete them
	@test ! -x $(PYTHON) || $(PYTHON) -m fixtures.hosts clean

lock: setup ## resolve the dependencies of pyproject.toml anew (ARGS=--upgrade: to their newest versions)
	tools/lock $(ARGS)

setup:
	@tools/setup
