# Each target says what it does: `make` lists them.
PYTHON := .venv/bin/python
ARGS ?=
CUTOVER ?= dns
HOSTS ?=
DEPLOY ?=

.DEFAULT_GOAL := help
.PHONY: help rehearse test check prove prove-words prove-kill prove-hosts prove-back bench clean lock setup

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

rehearse: setup ## move a core between two disposable hosts of this machine (HOSTS=containers, HOSTS=loopback, DEPLOY=docker, CUTOVER=proxy, ARGS="--fault NAME", "--fresh")
	$(PYTHON) -m pytest features/ --cutover $(CUTOVER) $(if $(HOSTS),--hosts $(HOSTS)) $(if $(DEPLOY),--deploy $(DEPLOY)) $(ARGS)

test: setup ## run the tests, two at a time (ARGS="-k lasting")
	$(PYTHON) -m pytest tests/ --numprocesses 2 --dist loadscope $(ARGS)

check: setup ## format, lint, types, layers
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) .venv/bin/lint-imports

prove: setup ## rehearse with every fault and control in turn: red first where declared, or green; what the guide sees of each (about 45 minutes)
	$(PYTHON) -m tests.prove_red --matrix docs/proof-of-red.md $(ARGS)

prove-words: setup ## empty every step of the runbook in turn: each must be red (about ten minutes)
	$(PYTHON) -m tests.prove_words

prove-kill: setup ## kill a rehearsal at every point in turn: the same command must end green (some hours; ARGS="--every 10")
	$(PYTHON) -m tests.prove_kill $(ARGS)

prove-hosts: setup ## kill the harness, the source and the dest in every phase of a move between containers (hours; ARGS="--whom dest --moments middle", "--back", "--lost")
	$(PYTHON) -m tests.prove_kill_hosts $(ARGS)

prove-back: setup ## roll back a rehearsal from every phase before users are on the dest (about four minutes)
	ALL_POINTS=1 $(PYTHON) -m pytest tests/runbook/test_rollback.py tests/runbook/test_docker.py -k "not fault" $(ARGS)

bench: setup ## measure rehearsals, how long users wait, fingerprints and manifests: writes docs/benchmarks.md (about 25 minutes, on a quiet machine)
	$(PYTHON) -m tests.bench --write docs/benchmarks.md $(ARGS)

clean: ## end the rehearsal hosts that were kept, and delete them
	@test ! -x $(PYTHON) || $(PYTHON) -m fixtures.hosts clean

lock: setup ## resolve the dependencies of pyproject.toml anew (ARGS=--upgrade: to their newest versions)
	tools/lock $(ARGS)

setup:
	@tools/setup
