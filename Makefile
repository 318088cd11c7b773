# make run: a first look. make test: everything that CI runs. make help: the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
TOUR ?= 1
DATA ?= ./data
DEBIAN := docker-registry skopeo redis-server docker.io iptables strace busybox-static podman postgresql wrk webhook
.PHONY: help run check test test-all faults fuzz deps lock clean bench

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## install, start everything with a real registry, and play a traced push (TOUR=0: only start; PORTS=6000: from there)
	@$(BIN)/wharfinger tour --data $(DATA) $(if $(PORTS),--ports $(PORTS)) $(if $(filter 0,$(TOUR)),--no-play,--play)

check: $(VENV)/.dev ## format, lint, import contracts, types, unit tests with coverage, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pytest -q -n auto -m "not real" --cov=wharfinger.wire --cov=wharfinger.policy --cov=authsvc.decide --cov=notifier.decide \
	  --cov=workers.decide --cov-branch --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE)
COVERAGE := 100

test: check deps ## check, then every test on real programs but the slow ones
	$(call twice,-m "real and not slow")

test-all: check deps ## the slow ones too
	$(call twice,-m real)

# Real programs on a busy machine miss their time now and then: what failed is tried once more, by itself, and both are shown.
define twice
$(BIN)/pytest -q $(1) || { echo "Once more, what failed:"; $(BIN)/pytest -q $(1) --last-failed --last-failed-no-failures none; }
endef

RUNS ?= 1000
faults: $(VENV)/.dev deps ## RUNS=1000 random faults under a steady stream; the seeds are printed (make test plays 20)
	WHARFINGER_RUNS=$(RUNS) $(BIN)/pytest -q tests/faults/test_random.py

fuzz: $(VENV)/.dev ## a short coverage-guided run of everything that reads what strangers send
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements/fuzz.txt
	$(BIN)/pytest -q tests/fuzz

deps: ## the Debian packages that tests on real programs need
	@./tests/install-programs $(DEBIAN)

bench: $(VENV)/.dev ## measure; see docs/performance.md
	@./tests/install-programs wrk docker-registry
	$(BIN)/python bench/all.py

lock: ## write the lock files anew
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  --group dev pyproject.toml -o requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  --group pyproject.toml:fuzz -o requirements/fuzz.txt

clean: ## remove what was made here, but no data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "installing Debian's python3-venv"; \
	  if [ $$(id -u) = 0 ]; then apt-get update -q >/dev/null && apt-get install -y -q python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); \
	  else echo "python3 has no venv: apt install python3-venv"; exit 1; fi; }
	@touch $@

# The lock files are whole, so pip need not resolve anything: --no-deps.
$(VENV)/.run: $(VENV)/.made requirements/runtime.txt pyproject.toml
	@[ -e $(VENV)/.dev ] || { $(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements/runtime.txt \
	  && $(BIN)/pip install -q --disable-pip-version-check --no-deps -e . ; }
	@touch $@

$(VENV)/.dev: $(VENV)/.made requirements/dev.txt pyproject.toml
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
