# `make demo` and `make test` need nothing but Python 3.11 or newer; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# torch goes first: with it there, nothing pulls in another build of it.
TORCH := $(shell grep '^torch==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check lint bench clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt constraints-ministack.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install -qq --disable-pip-version-check \
		--constraint constraints.txt --editable '.[diffusers,dev]'
	$(PYTHON) -m venv $(VENV)/ministack
	$(VENV)/ministack/bin/python -m pip install -qq --disable-pip-version-check \
		--constraint constraints-ministack.txt ministack
	touch $(READY)

setup: $(READY)  ## make .venv from the pinned requirements

demo: $(READY)  ## start the platform, make pictures with it, stop it
	$(BIN)/python -m samples.demo

up: $(READY)  ## start the platform and keep it
	$(BIN)/atelier up

test: $(READY)  ## every test
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test  ## format, lint, types, tests

bench: $(READY)  ## measure the line, the HTTP front and the previews; figures go to bench/out
	$(BIN)/python -m bench.overlap
	$(BIN)/python -m bench.front
	$(BIN)/python -m bench.previews

clean:  ## remove what setup and the runs made
	rm -rf $(VENV) demo-output bench/out
