# make run   installs IBEX into .venv, fetches the embedding model and serves
# make run ARGS="--port 8081"  does so with options of `ibex serve`
# make test  installs IBEX and its tools into .venv, then checks and tests everything
# make protos  generates the modules of the gRPC interface from auth.proto

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run install test install-dev lint types modules model tests protos clean

help:
	@sed -n 's/^# //p' $(MAKEFILE_LIST)

run: install
	$(BIN)/python -m ibex serve $(ARGS)

test: install-dev lint types modules model tests

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	@echo "== virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "IBEX needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "== installing IBEX (about 150 MB the first time)"
	$(BIN)/python -m pip install --editable '.[embeddings,grpc]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "== installing IBEX and its tools"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@ $(VENV)/.installed

lint:
	@echo "== lint and format"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	@echo "== types"
	$(BIN)/mypy

modules:
	@echo "== module rules"
	$(BIN)/lint-imports

model:
	@echo "== embedding model (91 MB the first time)"
	$(BIN)/python -m ibex models pull --data-dir .ibex

tests:
	@echo "== tests"
	$(BIN)/pytest -n auto --dist loadgroup $(ARGS)

protos: install-dev
	$(BIN)/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. --grpc_python_out=. \
		ibex/auth/v1/auth.proto

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache
