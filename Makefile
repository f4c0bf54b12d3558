# Two commands do everything: `make demo` and `make test`. Both set up .venv first, and only when it is out of date.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PROMPT ?= A red balloon rising at sunset

.PHONY: demo test lint typecheck unit setup clean

demo: $(VENV)/.ready
	mkdir -p out
	$(BIN)/cinelet generate "$(PROMPT)" -o out/demo.mp4 --sheet

test: lint typecheck unit

setup: $(VENV)/.ready

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.ready
	$(BIN)/mypy

unit: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

$(VENV)/.ready: pyproject.toml constraints.txt $(wildcard tests/conformance/clients/pins/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	$(BIN)/python -m tests.support.clients
	touch $@

clean:
	rm -rf $(VENV) out build .mypy_cache .ruff_cache .pytest_cache
