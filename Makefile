# Two commands to know: `make demo` and `make test`. Both make their own environment in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test fast lint docs bench collector clean

demo: .venv/demo ## run a small service and show its telemetry
	$(BIN)/bear-otel demo

# Real servers on a busy machine may be late once; a test that fails three times has failed.
test: .venv/installed ## everything: the fast part first, then the part with real servers
	$(BIN)/python -m pytest -m "not server"
	$(BIN)/python -m pytest -m server -p no:randomly --reruns 3 --reruns-delay 3

fast: .venv/installed ## the fast part alone
	$(BIN)/python -m pytest -m "not server"

lint: .venv/installed ## format, lint, types, layers, YAML
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict collector-config .ci

docs: .venv/installed ## generate the reference pages from the code
	$(BIN)/python docs/generate.py

bench: .venv/installed ## measure the cost, as ratios in one run
	$(BIN)/python benchmarks/server.py

collector: .venv/installed ## build the lean Collector, cached outside of the tree
	$(BIN)/bear-otel collector build

clean:
	rm -rf .venv build dist

.venv/demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[demo]"
	@touch $@

.venv/installed: .venv/demo
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@
