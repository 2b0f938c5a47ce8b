# Every target makes the environment that it needs. Needed here: Python 3.11 or newer with venv, make, a package index.

PYTHON  ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
             $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN     := .venv/bin
STAMP   := .venv/.made
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help env demo test quick lint types layers unit versions format docs bench-spine bench-sources bench-curation bench-models bench-generation bench-adversarial fuzz clean

help:         ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

env: $(STAMP) ## the environment in .venv

demo: env     ## the main job on the example help desk: data, training, proof, report
	@$(BIN)/zhiling demo

test: lint types layers unit versions  ## everything that a change must pass

quick: env    ## the tests that take less than ten seconds each, without coverage
	@$(BIN)/python -m pytest -q -n 2 -m "not slow and not real"

lint: env     ## style and formatting
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: env    ## basedpyright, strict, over src
	@$(BIN)/basedpyright

layers: env   ## who may import whom
	@$(BIN)/lint-imports --no-cache

unit: env     ## all tests, two at a time, with branch coverage
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --cov --cov-report=term:skip-covered

versions: env ## the core's tests on Python 3.12 and 3.13, where they are installed
	@$(BIN)/python tools/versions.py

format: env   ## rewrites what lint would complain about
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

docs: env     ## regenerates the reference pages and the generated parts of both READMEs
	@$(BIN)/python tools/error_rates.py && $(BIN)/python tools/docs.py && $(BIN)/python tools/readme.py && $(BIN)/python tools/capacity.py

bench-spine: env  ## speed and memory beside other tools: benchmarks/results/spine.json (ROW=2 measures that row only)
	@$(BIN)/python -m benchmarks.spine

bench-sources: env  ## reading, formats, templates, documents: benchmarks/results/sources.json (ROW=2 measures that row only)
	@$(BIN)/python -m benchmarks.sources

bench-curation: env  ## duplicates, decontamination, rules beside other tools: benchmarks/results/curation.json (ROW=2 measures that row only)
	@$(BIN)/python -m benchmarks.curation

bench-models: env  ## tasks beside other tools: benchmarks/results/models.json (ROW=2 measures that row only)
	@$(BIN)/python -m benchmarks.models

bench-generation: env  ## model calls beside other clients: benchmarks/results/generation.json (ROW=2 measures that row only)
	@$(BIN)/python -m benchmarks.generation

bench-adversarial: env  ## generators, discriminators, guards beside controls: benchmarks/results/adversarial.json (ROW=2 measures that row only)
	@$(BIN)/python -m benchmarks.adversarial

fuzz: env     ## damaged files against a source until something breaks: make fuzz KIND=pdf SECONDS=300
	@$(INSTALL) -r tools/fuzz.txt && $(BIN)/python tools/fuzz.py $(or $(KIND),jsonl) --seconds $(or $(SECONDS),60)

clean:        ## removes the environments, caches and builds (never runs)
	@rm -rf .venv .venv-* build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv found; install one (Debian: python3 python3-venv) or name it: make PYTHON=/path/to/python3" >&2; exit 2; }
	@echo "making .venv with $(PYTHON); this takes some minutes the first time" >&2
	@$(BIN)/python -c "" 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(INSTALL) torch hatchling editables
	@$(INSTALL) --no-build-isolation -e ".[train,curation,demo,dev,documents,images,fast,ray,remote]"
	@touch $@
