# One command each: `make demo`, `make test`. Only python3 (3.11 or later), make and a package index are needed.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test evidence bench docs notebooks lint clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       fit, certify, analyse and forecast the sunspot numbers; writes demo/index.html"
	@echo "make test       lint, types, layers and every test"
	@echo "make lint       lint, types and layers only"
	@echo "make docs       the documentation, built strictly; docs/_build/html/index.html"
	@echo "make notebooks  notebooks/*.ipynb with their outputs"
	@echo "make evidence   every statistical and measured-data bar at full size; docs/evidence.md"
	@echo "make bench      timings side by side with other packages; docs/benchmarks.md"
	@echo "make clean      remove what the other targets wrote (keeps $(VENV))"

# The environment, and one stamp a set of packages: installed again only when pyproject.toml is newer.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sysid needs Python 3.11 or later; name one by 'make PYTHON=...'." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) could not make a virtual environment; install its venv module." >&2; exit 1; }
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

demo: $(VENV)/.run
	$(BIN)/python -m sysid demo --out demo

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# glibc fills memory that nobody has written with this byte's complement: a number read from it is 1.4e306.
test: lint
	$(BIN)/python -m tests.warm
	MALLOC_PERTURB_=128 $(BIN)/python -m pytest -n $(WORKERS)

evidence: $(VENV)/.test
	$(BIN)/python -m tests.warm
	$(BIN)/python -m pytest --evidence --evidence-out docs/evidence.md -n $(WORKERS) --dist loadfile tests/evidence

bench: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks

docs: $(VENV)/.test
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

notebooks: $(VENV)/.test
	$(BIN)/jupytext --to ipynb --execute --set-kernel python3 notebooks/[0-9]*.py

clean:
	rm -rf build dist demo docs/_build docs/notebooks docs/reference notebooks/*.ipynb .pytest_cache .mypy_cache .ruff_cache \
	  .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
