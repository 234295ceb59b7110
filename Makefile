# Everything a person needs is `make quickstart` and `make test`; both set up what they use.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
RESULTS ?= results/quickstart
# Tested but not installed: the trackers, which bring many packages and would write beside every run; their tests are
# skipped where TensorBoard and MLflow are missing.
NOT_INSTALLED = plugins/chaosbench-tensorboard/ plugins/chaosbench-mlflow/
PLUGINS = $(filter-out $(NOT_INSTALLED),$(dir $(wildcard plugins/*/pyproject.toml)))
# The page of findings has the date of the boards; a later one gets a page of its own.
FINDINGS ?= results-2026-11-28
# Processes that run tests side by side; each uses one thread.
TEST_WORKERS ?= 2
export OMP_NUM_THREADS = 1
# Measurements that tests read where they are there; the project does not carry them.
export CHAOSBENCH_TEST_DATA ?= $(abspath $(wildcard ../shared/data))

.PHONY: quickstart bench bench-long test test-slow lint install install-test docs live-view dist clean

quickstart: install
	$(BIN)/chaosbench run quickstart --results $(RESULTS)

test: install-test lint
	$(BIN)/python -m pytest -n $(TEST_WORKERS) tests plugins

# Ratios against rivals on one thread, about fifteen minutes; a rival that is not installed is reported as not measured.
bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks training diagnostics systems slopes

# Adds rivals that take long, and the memory of every trainer.
bench-long: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks --long
	$(BIN)/python -m benchmarks.phases

test-slow: $(VENV)/.installed-slow
	$(BIN)/python -m pytest -n $(TEST_WORKERS) tests plugins -m "slow or not slow" --timeout 3600

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/.installed

install-test: $(VENV)/.installed-test

# Pages that programs write; each is written beside and then renamed, so that a failure leaves the old page.
docs: install-test
	mkdir -p build
	set -e; for page in "models: pages models" "trainers: pages trainers" "systems: systems" "verdicts: verdicts" \
		"faithfulness: faithfulness leaderboards/faithful" "theory: theory leaderboards/theory" \
		"forcing-interval: forcing_interval leaderboards/forcing-interval" "performance: performance" \
		"$(FINDINGS): findings leaderboards"; do \
		$(BIN)/python -m docs.generate.$${page#*: } > build/page.md; mv build/page.md docs/$${page%%:*}.md; done
	$(BIN)/python -m docs.generate.forcing_interval leaderboards/forcing-interval docs/pictures/forcing-interval.png
	$(BIN)/python -m docs.generate.performance docs/pictures
	$(BIN)/python -m docs.generate.findings leaderboards docs/pictures
	$(BIN)/python -m docs.generate.core_board leaderboards/core
	$(BIN)/python -m docs.generate.score_table
	$(BIN)/python -m docs.generate.comparisons > build/comparisons.md

# The picture of docs/running.md, of a campaign that runs for a few minutes.
live-view: install-test
	$(BIN)/python -m docs.generate.live_view docs/pictures/live-view.svg

# A wheel and an sdist with checked metadata; the wheel, installed alone in a fresh environment, runs the quickstart.
dist:
	rm -rf dist build/tools build/fresh
	$(PYTHON) -m venv build/tools
	build/tools/bin/python -m pip install --quiet --disable-pip-version-check build twine
	build/tools/bin/python -m build --outdir dist
	build/tools/bin/twine check --strict dist/*
	$(PYTHON) -m venv build/fresh
	build/fresh/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		"$$(ls dist/*.whl)[plots]"
	cd build/fresh && bin/chaosbench run quickstart --results results

# torch is pinned in constraints.txt, so that a machine without a GPU does not fetch a CUDA build.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[plots,fast]"
	touch $@

# The bundled plug-ins are tested, too, each with its own tests and with those that ask every kind there is. Packages
# whose own dependencies would replace pinned ones, and of which no more than files is read, come without them.
$(VENV)/.installed-test: pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[plots,fast,test]" \
		$(addprefix -e ./,$(PLUGINS))
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		$(addprefix -r ,$(wildcard plugins/*/without-dependencies.txt))
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test-triton]" || \
		echo "Triton cannot be had here: tests of the kernels for CUDA are skipped." >&2
	touch $(VENV)/.installed $@

# S3, Ray and Slurm are replaced by what their own packages start on this machine.
$(VENV)/.installed-slow: pyproject.toml constraints.txt $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e ".[plots,fast,test,remote,ray,slurm,test-slow]"
	touch $@

$(VENV)/.installed-bench: pyproject.toml constraints.txt $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[plots,fast,test,bench]"
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
