# The project's checks. Each target does its own set-up, in .venv; all that has to be
# there is make and Python 3.11 or newer with venv: `make PYTHON=python3.13 test`.

PYTHON ?= python3
VENV = .venv
BIN = $(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN = $(VENV)/$(BIN)/python
INSTALLED = $(VENV)/.installed

# The versions of scikit-learn to test beside the oldest and the newest.
OLDER = 1.8

# The oldest version of each requirement that pyproject.toml allows.
OLDEST = $(shell sed -n 's/^ *"\([a-z-]*\)>=\([0-9.]*\)".*/\1==\2/p' pyproject.toml)

# Products as small as those of the tests only get slower with more threads, so that each
# core runs a test of its own.
PYTEST = OPENBLAS_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --dist worksteal

.DEFAULT_GOAL = help
.PHONY: help demo examples test test-matrix test-oldest slow lint benchmark clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## Train and evaluate on real data, and draw demo.png
	@$(RUN) examples/demo.py

examples: $(INSTALLED) ## Run all the other examples
	@set -e; for script in examples/plot_*.py examples/search_*.py; do \
	    echo "== $$script"; $(RUN) $$script; \
	done

test: lint ## Run lint, unit tests, doctests and the code in the README
	@$(PYTEST) -m "not slow"

test-matrix: test-oldest $(OLDER:%=test-with-%) test ## Test with older versions too

# Each version has an environment of its own.
test-with-%:
	@echo "scikit-learn $*"
	@$(MAKE) --no-print-directory VENV=.venv-$* PIN="scikit-learn==$*.*" test-pinned

test-oldest: ## Test with the oldest versions of all requirements together
	@echo "$(OLDEST)"
	@$(MAKE) --no-print-directory VENV=.venv-oldest PIN="$(OLDEST)" test-pinned

test-pinned: $(INSTALLED)
	@$(PYTEST) -m "not slow"

slow: $(INSTALLED) ## Run the tests that take long, or download
	@$(PYTEST) -m slow

lint: $(INSTALLED) ## Check code style and spelling
	@$(RUN) -m ruff check --quiet --output-format concise
	@$(RUN) -m ruff format --check --quiet
	@$(RUN) -m codespell_lib

benchmark: $(INSTALLED) ## Measure time and memory
	@$(RUN) benchmarks/epoch_time.py
	@$(RUN) benchmarks/memory.py
	@$(RUN) benchmarks/import_time.py
	@$(RUN) benchmarks/search.py

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(OLDER:%=$(VENV)-%) $(VENV)-oldest build dist *.egg-info *.png
	rm -rf .pytest_cache .ruff_cache .hypothesis benchmarks/.tables
	find skdnn tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("skdnn needs Python 3.11 or newer; choose \
	one with PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@echo "Installing skdnn and what its checks need into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[dev]" $(PIN)
	@touch $@
