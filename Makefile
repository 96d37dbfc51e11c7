# Both jobs set everything up on a fresh machine: they need Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin
# The tests run in several processes, which must not each take every core.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test slow lint clean

demo: .venv/ready
	env -u OMP_NUM_THREADS $(BIN)/timeloom demo

test: .venv/ready
	$(BIN)/python -m pytest -n 2

slow: .venv/ready
	$(BIN)/python -m pytest -m slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv timeloom-demo
