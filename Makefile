# Every target does its own set-up: a virtual environment in .venv, made again whenever
# pyproject.toml changes. Another interpreter: make test PYTHON=python3.12

VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?=
PIP := $(PY) -m pip --disable-pip-version-check --quiet
CODE := minibroker client examples tests bench .ci

.DEFAULT_GOAL := help
.PHONY: help run test differential check lint types imports rules wheel-test bench bench-smoke coverage semantics format clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: $(VENV)/run.stamp  ## Serve AMQP on port 5672 until Ctrl-C
	@$(PY) -m minibroker serve

test: $(VENV)/test.stamp  ## Run the test suite
	$(PY) -m pytest -q

differential: $(VENV)/test.stamp  ## Run 5,000 random programs here and on a real RabbitMQ, and compare
	MINIBROKER_DIFFERENTIAL=5000 MINIBROKER_REQUIRE_SERVERS=1 $(PY) -m pytest -q tests/interop/differential

check: lint types imports rules wheel-test  ## Run every check, and the tests against a built wheel

lint: $(VENV)/dev.stamp
	$(PY) -m ruff format --check $(CODE)
	$(PY) -m ruff check $(CODE)

types: $(VENV)/dev.stamp
	$(PY) -m mypy
	$(PY) -m pyright --pythonpath $(PY)

imports: $(VENV)/dev.stamp
	$(VENV)/bin/lint-imports

rules: $(VENV)/dev.stamp
	$(PY) tests/checks/run_all.py

wheel-test: $(VENV)/dev.stamp
	$(PY) .ci/wheel_test.py

bench: $(VENV)/bench.stamp  ## Run the benchmarks and print their tables
	$(PY) -m pytest bench --benchmark-only -q -o faulthandler_timeout=300

bench-smoke: $(VENV)/bench.stamp  ## Run each benchmark once, to see that it runs
	$(PY) -m pytest bench --benchmark-disable -q

coverage: $(VENV)/dev.stamp  ## Run the suite and report line and branch coverage
	$(PY) -m coverage run -m pytest -q
	$(PY) -m coverage report

semantics: $(VENV)/run.stamp  ## Write docs/semantics-coverage.md again
	$(PY) tests/checks/semantics_coverage.py --write

format: $(VENV)/dev.stamp  ## Format the code and apply the linter's safe corrections
	$(PY) -m ruff format $(CODE)
	$(PY) -m ruff check --fix $(CODE)

clean:  ## Remove everything that make made
	rm -rf $(VENV) dist build htmlcov .coverage .benchmarks .hypothesis .mypy_cache .pytest_cache \
		.ruff_cache .import_linter_cache
	find $(wildcard $(CODE)) -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/run.stamp: pyproject.toml .ci/make-venv
	@.ci/make-venv $(VENV) $(PYTHON)
	$(PIP) install --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(PIP) install --editable '.[test,interop]'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp
	$(PIP) install --editable '.[bench]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/test.stamp
	$(PIP) install --editable '.[dev]'
	@touch $@
