# Every command of the project. One install path: a virtual environment made with plain venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PYTEST_WORKERS ?= auto

.PHONY: peak test check fix bench manual dashboards clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

peak: $(VENV)/installed ## a compressed lunch against an embedded switch; report in peak-report/
	$(BIN)/tapswitch peak $(ARGS)

test: $(VENV)/installed ## the whole test suite
	$(BIN)/pytest -n $(PYTEST_WORKERS) $(ARGS)

check: $(VENV)/installed ## formatter, linter, strict types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/installed ## what formatter and linter can mend by themselves
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed ## micro benchmarks, then capacity
	$(BIN)/pytest bench --benchmark-only --benchmark-columns=min,median,max,rounds
	$(BIN)/python -m bench.capacity --json capacity.json $(ARGS)

manual: $(VENV)/installed ## the pages of the manual that are made from the code
	$(BIN)/python -m switch.metrics_manual docs/operations/metrics.md

dashboards: $(VENV)/installed ## Grafana's dashboards, from dashboards/
	$(BIN)/python -m dashboards deploy/grafana/dashboards

clean: ## remove everything that these commands made
	rm -rf $(VENV) .bench-* peak-report capacity.json build *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
