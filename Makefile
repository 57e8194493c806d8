# make demo: build and predict.  make test: build and check everything.  make gpu: measure this machine's NVIDIA GPU.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The newest Python on the path that is new enough, unless PYTHON says which.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
INSTALL := .ci/install $(BIN)/python
SOURCES := setup.py pyproject.toml CMakeLists.txt constraints.txt MANIFEST.in \
	$(wildcard cmake/*.cmake) $(shell find csrc -type f 2>/dev/null)
MARK := $(VENV)/.perfmodel
OUTPUT ?= calibration/measurements
WHEELS ?= wheels
BUDGET ?= 420
SECONDS_EACH ?= 300

.PHONY: help demo test lint docs gpu gpu-wheels bench-deps sanitize fuzz clean check-python

help:
	@sed -n 's/^## //p' Makefile

## make demo      build everything and make one prediction (no torch)
demo: $(MARK)-base
	$(BIN)/python -m perfmodel predict --gpu p100 --blocks 6

## make test      build everything, with torch, and run all checks
test: $(MARK)-test lint docs
	$(BIN)/python -m pytest

## make lint      formats and types: ruff, mypy --strict, clang-format
lint: $(MARK)-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $$(find csrc -name '*.h' -o -name '*.cpp' -o -name '*.cu')

## make docs      build the documentation site into site/
docs: $(MARK)-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

## make gpu       measure this machine's NVIDIA GPU into calibration/measurements/ (OUTPUT, BUDGET in seconds)
gpu: check-python
	$(PYTHON) .ci/gpu.py --output "$(OUTPUT)" --wheels "$(WHEELS)" --budget $(BUDGET)

## make gpu-wheels  fill wheels/ with what a GPU machine without network may lack
gpu-wheels: $(MARK)-base
	$(BIN)/python .ci/gpu_wheels.py --wheels "$(WHEELS)"

## make sanitize  run the native tests under the address, undefined-behaviour and thread sanitizers
sanitize: $(MARK)-test
	PYTHON=$(BIN)/python .ci/sanitize

## make fuzz      feed damaged images to the loader under the sanitizers for a while (SECONDS_EACH, needs clang)
fuzz: $(MARK)-test
	PYTHON=$(BIN)/python .ci/fuzz $(SECONDS_EACH)

## make bench-deps  install torch and the loaders that `perfmodel loader bench` compares; what cannot be had is named
bench-deps: $(MARK)-base
	@$(INSTALL) --no-build-isolation --editable '.[torch,pillow,loaders]'
	@for package in spdl nvidia-dali-cuda120; do \
		$(INSTALL) "$$package" >/dev/null 2>&1 && echo "$$package installed" || echo "$$package cannot be installed here (optional)"; \
	done

## make clean     remove everything that was built
clean:
	rm -rf $(VENV) build dist site out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find perfmodel -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

check-python:
	@test -n "$(PYTHON)" || { echo "error: perfmodel needs Python 3.11 or newer, and none is on the path; set PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: perfmodel needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)" >&2; exit 2; }

$(MARK)-venv: | check-python
	@sh .ci/system $(PYTHON)
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) setuptools pybind11
	@touch $@

$(MARK)-base: $(MARK)-venv $(SOURCES)
	@echo "building and installing perfmodel"
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(MARK)-test: $(MARK)-base
	@sh .ci/system $(PYTHON) tests
	@echo "installing torch and the tools of the tests; this takes a minute or two"
	@$(INSTALL) --no-build-isolation --editable '.[torch,test]'
	@touch $@
