# The project's checks. Each target does its own set-up, in .venv; all that has to be
# there is make and Python 3.11 or newer with venv: `make PYTHON=python3.13 test`.

PYTHON ?= python3
VENV = .venv
BIN = $(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN = $(VENV)/$(BIN)/python
INSTALLED = $(VENV)/.installed
DOCS_INSTALLED = $(VENV)/.docs-installed

# The versions of scikit-learn to test beside the oldest and the newest.
OLDER = 1.8

# The oldest version of each requirement that pyproject.toml allows, but for those of the
# site, which nobody needs to use skdnn.
OLDEST = $(shell sed -n -e '/^docs = /,/^]/d' -e 's/^ *"\([a-z0-9-]*\)>=\([0-9.]*\)".*/\1==\2/p' pyproject.toml)

# What has to be there for a build in the environment itself, which takes seconds. pip's
# own way installs SciPy once more for each.
BUILD_REQUIRES = $(shell sed -n 's/^requires = \[\(.*\)\]/\1/p' pyproject.toml | tr -d ,)

# What the site needs beside skdnn, which is there.
DOCS_REQUIRES = $(shell sed -n '/^docs = /,/^]/s/^ *\("[^["]*"\).*/\1/p' pyproject.toml)

PIP = $(RUN) -m pip --quiet --disable-pip-version-check

# What the compiled engine is made of.
SOURCES = setup.py skdnn/nn/_compiled.pyx $(wildcard skdnn/nn/kernels/*)

# Where there is a C compiler, a compiled engine that can't be built is a fault; elsewhere
# NumPy computes everything. 2>&1 has old versions of make ask the shell.
ifneq ($(shell command -v cc 2>&1),)
SKDNN_EXPECT_COMPILED ?= 1
export SKDNN_EXPECT_COMPILED
endif

# What runs in each environment; `slow` and `exhaustive` are the rest.
FAST = not slow and not exhaustive and not cluster

# Products as small as those of the tests only get slower with more threads, so that each
# core runs a test of its own.
PYTEST = OPENBLAS_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --dist worksteal

.DEFAULT_GOAL = help
.PHONY: help build demo examples docs test test-numpy test-memory wheel slow exhaustive
.PHONY: test-browser test-dask test-cluster test-matrix test-oldest lint benchmark clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' Makefile

build: $(INSTALLED) ## Build the compiled engine again if its sources have changed

demo: $(INSTALLED) ## Train and evaluate on real data, and draw demo.png
	@$(RUN) examples/demo.py

# Nobody looks at their figures here, which `make docs` shows.
examples: $(INSTALLED) ## Run the examples of the gallery, for what they print
	@set -e; for script in examples/plot_*.py; do \
	    echo "== $$script"; \
	    MPLBACKEND=Agg $(RUN) -W "ignore:FigureCanvasAgg:UserWarning" $$script; \
	done

test: lint ## Run lint, unit tests, doctests and the code in the README
	@$(PYTEST) -m "$(FAST)"

test-numpy: $(INSTALLED) ## Run the same tests without the compiled engine
	@SKDNN_COMPILED=0 SKDNN_EXPECT_COMPILED=0 $(PYTEST) -m "$(FAST)"

# Both of these test what was built from a source distribution, unpacked to where the
# package of this folder is out of sight.
unpack = mkdir -p build/$@ && tar -xzf $(1)/*.tar.gz -C build/$@ --strip-components 1

# TESTS=... are the tests to run, by default all but that of files which only the source
# has. Nothing is on the path, not even what joblib counts cores with.
wheel: $(INSTALLED) ## Build a wheel in dist, and test it where there is no compiler
	@rm -rf dist build/$@
	@$(RUN) -m build >/dev/null
	@$(call unpack,dist) && rm -r build/$@/skdnn
	@$(PYTHON) -m venv build/$@/$(VENV)
	@cd build/$@ && PATH="$$PWD/$(VENV)/$(BIN)" && $(PIP) install \
	    "$$(echo ../../dist/*.whl)[test]"
	@cd build/$@ && PATH="$$PWD/$(VENV)/$(BIN)" && LOKY_MAX_CPU_COUNT=2 $(PYTEST) \
	    -m "$(FAST)" -W "ignore:Could not find the number of physical cores" \
	    --deselect tests/test_docs.py::test_named_files_exist \
	    --deselect tests/test_docs.py::test_links_lead_somewhere \
	    $(or $(TESTS),tests --pyargs skdnn)

# The sanitizers have to be there before Python, which was built without them. It keeps
# memory until it ends, which is no leak. A process ends with what they find, and what
# pytest had captured of it with it: hence -s.
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined -g
SANITIZED = LD_PRELOAD="$$(cc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0

test-memory: $(INSTALLED) ## Test kernels with AddressSanitizer and UBSan (GCC, Linux)
	@rm -rf build/$@
	@$(RUN) -m build --sdist --no-isolation --outdir build/$@ >/dev/null
	@$(call unpack,build/$@)
	@CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" $(PIP) install \
	    --no-build-isolation --no-deps --target build/$@/site build/$@
	@rm -r build/$@/skdnn
	@cd build/$@ && ln -s ../../$(VENV) && PYTHONPATH="$$PWD/site" $(SANITIZED) \
	    $(PYTEST) -s $(wildcard tests/test_kernels*.py tests/test_compiled*.py tests/test_recording.py)

test-browser: $(INSTALLED) ## Test what notebooks show in Chromium (Debian: installs it)
	@command -v chromium >/dev/null || apt-get install -y -qq chromium >/dev/null
	@$(PYTEST) -rs tests/test_html.py

# Dask has an environment of its own, so that all else is tested without it. One process
# after the other, as each test starts several.
test-dask: ## Test on clusters of Dask
	@$(MAKE) --no-print-directory VENV=.venv-dask EXTRA=,test-dask test-cluster

test-cluster: $(INSTALLED)
	@OPENBLAS_NUM_THREADS=1 $(RUN) -m pytest -q tests/cluster \
	    "tests/test_docs.py::test_blocks_run[cluster.md]"
	@$(RUN) examples/search_on_cluster.py
	@$(RUN) examples/fit_on_cluster.py

slow: $(INSTALLED) ## Run the tests that `test` leaves out, for some minutes
	@$(PYTEST) -m slow

exhaustive: $(INSTALLED) ## Run thousands of draws, and tests of tables to download
	@$(PYTEST) -m exhaustive

test-matrix: test-oldest $(OLDER:%=test-with-%) ## Test with older versions

# Each version has an environment of its own.
test-with-%:
	@echo "scikit-learn $*"
	@$(MAKE) --no-print-directory VENV=.venv-$* PIN="scikit-learn==$*.*" test-pinned

test-oldest: ## Test with the oldest versions of all requirements together
	@echo "$(OLDEST)"
	@$(MAKE) --no-print-directory VENV=.venv-oldest PIN="$(OLDEST)" test-pinned

test-pinned: $(INSTALLED)
	@$(PYTEST) -m "$(FAST)"

lint: $(INSTALLED) ## Check code style and spelling
	@$(RUN) -m ruff check --quiet --output-format concise
	@$(RUN) -m ruff format --check --quiet
	@$(RUN) -m codespell_lib

# Only pages that have changed, and examples that have, are made anew.
docs: $(DOCS_INSTALLED) ## Build the site in docs/_build/html, with all examples
	@$(RUN) -m sphinx -q -W --keep-going -d docs/_build/doctrees docs docs/_build/html
	@echo "The site is in docs/_build/html/index.html"

benchmark: $(INSTALLED) ## Measure time and memory
	@$(RUN) benchmarks/epoch_time.py
	@$(RUN) benchmarks/fit_time.py
	@$(RUN) benchmarks/memory.py
	@$(RUN) benchmarks/import_time.py
	@$(RUN) benchmarks/search.py

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(OLDER:%=$(VENV)-%) $(VENV)-oldest $(VENV)-dask build dist *.egg-info *.png
	rm -f skdnn/nn/_compiled.*.so skdnn/nn/_compiled.*.pyd skdnn/nn/_compiled.c
	rm -rf .pytest_cache .ruff_cache .hypothesis benchmarks/.tables
	rm -rf docs/_build docs/auto_examples docs/generated
	find skdnn tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit("skdnn needs Python 3.11 or newer; choose \
	one with PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@echo "Installing skdnn and what its checks need into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install $(BUILD_REQUIRES) $(PIN)
	@$(PIP) install --no-build-isolation -e ".[dev$(EXTRA)]" $(PIN)
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	@echo "Installing what the site needs into $(VENV) ..."
	@$(PIP) install $(DOCS_REQUIRES) $(PIN)
	@touch $@
