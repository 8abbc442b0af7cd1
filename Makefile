# The daily commands. `make` alone lists them.
SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

# Any Python from 3.11 on: make PYTHON=python3.12 test
PYTHON ?= python3
# How many processes run the tests.
WORKERS ?= 2
# How many simulated worlds.
SEEDS ?= 200
# More words for pytest: make test PYTEST_ARGS="-k outbox"
PYTEST_ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# What exists of the trees that are checked.
CODE := $(wildcard src tests scripts)

.PHONY: help demo test lint fix audit mutants mutation bench sim soak e2e docs lock clean

# List the commands.
help:
	@awk '/^# /{text=substr($$0,3)} /^[a-z0-9-]+:/{sub(":.*","");printf "make %-9s %s\n",$$0,text}' Makefile

# Show what quotey does, offline, from nothing but Python.
demo: .venv/.demo
	@$(BIN)/python scripts/demo.py

# Run every check that must be green: lint, types, walls, docs, tests, coverage of the core.
test: lint
	@echo "Running the tests on $(WORKERS) processes ..."
	@rm -f .coverage .coverage.* .pytest.log
	@set -o pipefail; $(BIN)/pytest -q -n $(WORKERS) --cov --cov-report= $(PYTEST_ARGS) | tee .pytest.log
	@$(BIN)/coverage report --fail-under=100 \
		--include='src/quotey/contract/*,src/quotey/decide/*' > .coverage-core \
		|| { cat .coverage-core; echo "contract/ and decide/ need 100 % branch coverage."; exit 1; }
	@echo "contract/ and decide/: 100 % branch coverage."
	@tail -n 1 .pytest.log

# Check style, types, walls and generated pages; change nothing.
lint: .venv/.dev
	@echo "Checking style, types and walls ..."
	@$(BIN)/ruff check -q $(CODE)
	@$(BIN)/ruff format -q --check $(CODE) || { echo "Not formatted. Next: make fix"; exit 1; }
	@$(BIN)/mypy --no-error-summary $(CODE)
	@$(BIN)/lint-imports --no-logo --no-cache > .import-walls || { cat .import-walls; exit 1; }
	@if [ -f scripts/generate_docs.py ]; then $(BIN)/python scripts/generate_docs.py --check; fi

# Format the code and repair what ruff can repair.
fix: .venv/.dev
	@$(BIN)/ruff format -q $(CODE)
	@$(BIN)/ruff check --fix $(CODE); $(BIN)/ruff format -q $(CODE)

# Look for unsafe calls, known advisories and secrets that were left lying.
audit: .venv-audit/.done
	@.venv-audit/bin/python scripts/audit.py

# Break the core on purpose, one place at a time, and see that a test notices.
mutants: .venv/.dev
	@$(BIN)/python scripts/mutants.py $(MUTANTS_ARGS)

# Break every function of the core in every small way: make mutation MODULE=decide/retry.py
mutation: .venv-mutation/.done
	@.venv-mutation/bin/python scripts/mutation.py $(MODULE) $(MUTATION_ARGS)

# Measure the speed.
bench: .venv/.dev
	@$(BIN)/python scripts/bench.py
	@$(BIN)/python scripts/bench_complete.py

# Play simulated worlds with faults: make sim SEEDS=500; one again: make sim SEED=106
sim: .venv/.dev
	@$(BIN)/python scripts/sim.py --seeds $(SEEDS) --processes $(WORKERS) $(if $(SEED),--seed $(SEED)) $(SIM_ARGS)

# Run the long tests and many more random examples; with PART=n, a part of the long simulation.
soak: .venv/.dev
ifdef PART
	@$(BIN)/python scripts/sim.py --part $(PART) --processes $(WORKERS) $(SIM_ARGS)
else
	@HYPOTHESIS_PROFILE=soak $(BIN)/pytest -q -n $(WORKERS) -m "not e2e" $(PYTEST_ARGS)
endif

# Judge an adapter by a real CRM server, Tryton, on this machine; E2E_DATABASE=sqlite or postgresql for one of both.
e2e: .venv/.dev .venv-e2e/.ready
	@$(BIN)/pytest -q -rs -p no:cacheprovider -m e2e $(PYTEST_ARGS) tests/e2e

# Write the pages that are generated from the code.
docs: .venv/.dev
	@$(BIN)/python scripts/generate_docs.py

# Pin the newest allowed dependencies, with hashes.
lock:
	@echo "Resolving the dependencies ..."
	@$(PYTHON) -m venv --clear .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check -q install pip-tools
	@for part in requirements requirements-dev requirements-audit requirements-e2e requirements-mutation; do \
		CUSTOM_COMPILE_COMMAND="make lock" .venv-lock/bin/pip-compile -q --upgrade \
			--generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
			--no-emit-trusted-host --no-emit-find-links -o $$part.lock $$part.in || exit 1; \
	done
	@rm -rf .venv-lock

# Remove everything that these commands made.
clean:
	@rm -rf .venv .venv-lock .venv-audit .venv-e2e .venv-mutation .mutation .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
		.coverage .coverage.* .coverage-core .pytest.log .import-walls build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment with what the package needs, and the package.
.venv/.demo: requirements.lock pyproject.toml
	@$(call venv,requirements.lock)
	@touch $@

# The same with the tools for development. It serves the demo too.
.venv/.dev: requirements-dev.lock pyproject.toml
	@$(call venv,requirements-dev.lock)
	@touch .venv/.demo $@

# The tools of `make audit`, apart: they bring much that nothing else needs.
.venv-audit/.done: requirements-audit.lock
	@echo "Installing into .venv-audit from $< ..."
	@$(PYTHON) -m venv --clear .venv-audit
	@.venv-audit/bin/python -m pip --disable-pip-version-check -qq install --require-hashes --no-deps -r $<

# The tool of `make mutation`, apart for the same reason; the package itself comes from its copy.
.venv-mutation/.done: requirements-mutation.lock
	@echo "Installing into .venv-mutation from $< ..."
	@$(PYTHON) -m venv --clear .venv-mutation
	@.venv-mutation/bin/python -m pip --disable-pip-version-check -qq install --require-hashes --no-deps -r $<
	@touch $@

# The server for `make e2e`, which nothing of ours may import. What it has prepared is kept there.
.venv-e2e/.ready: requirements-e2e.lock
	@echo "Installing a Tryton server into .venv-e2e ..."
	@$(PYTHON) -m venv --clear .venv-e2e
	@.venv-e2e/bin/python -m pip --disable-pip-version-check -qq install --require-hashes --no-deps -r $<
	@touch $@

define venv
echo "Installing into .venv from $(1) ..." \
&& { $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed. Next: make PYTHON=python3.11 ..."; exit 1; }; } \
&& $(PYTHON) -m venv --clear .venv \
&& $(PIP) install --require-hashes --no-deps -r $(1) \
&& $(PIP) install --no-deps --no-build-isolation --no-index -e .
endef
