# Bare `make` lists the targets. Every target makes .venv by itself, from requirements.txt.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules
.PHONY: help demo test test-slow check format bench docs lock clean

# What Python compiles is kept: tests start it hundreds of times.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# A file of tests is one worker's, so that what it makes once is made once; PARALLEL= runs plainly.
PARALLEL ?= -n 2 --dist loadfile --no-loadscope-reorder

# The first Python that is new enough; a name on the path may be a shim that does not run.
define find_python
python=; for name in python3.11 python3.12 python3.13 python3; do \
  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
  then python=$$name; break; fi; \
done; \
if [ -z "$$python" ]; then echo "Tokenergy needs Python 3.11 or newer on the path." >&2; exit 1; fi
endef

help: ## list the targets
	@sed -nE 's/^([a-z%-]+):[^#]*## (.*)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	  | sed 's/bench-%/bench-NAME/' | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: $(READY) ## run the whole tool once on the example company Meridian
	@$(VENV)/bin/tokenergy demo examples/meridian.yaml

test: $(READY) ## run the tests (ARGS='tests/company -x' and so on)
	@$(PY) -m pytest $(PARALLEL) -m "not slow" $(ARGS)

test-slow: $(READY) ## run the tests that are marked slow, each with its reason; CI runs them too
	@$(PY) -m pytest $(PARALLEL) -m slow $(ARGS)

check: $(READY) ## check format, lint, types, imports and the rules of the house
	@$(VENV)/bin/ruff format --check --output-format concise . \
	  || { echo "make format mends this" >&2; exit 1; }
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy
	@report=$$($(VENV)/bin/lint-imports --no-logo 2>&1) && grep '^Contracts:' <<< "$$report" \
	  || { echo "$$report"; exit 1; }
	@$(PY) -m pytest tests/house

format: $(READY) ## format the code and mend what the linter can mend
	@$(VENV)/bin/ruff check --fix --quiet . || true
	@$(VENV)/bin/ruff format .

bench: $(READY) ## run every benchmark; results in benchmarks/results
	@for file in benchmarks/bench_*.py; do \
	  if [ ! -e "$$file" ]; then echo "no benchmarks yet"; else $(PY) "$$file"; fi; done

bench-%: $(READY) ## run benchmarks/bench_NAME.py
	@if [ ! -e benchmarks/bench_$*.py ]; then \
	  echo "no benchmarks/bench_$*.py; there are: $(wildcard benchmarks/bench_*.py)" >&2; exit 1; fi
	@$(PY) benchmarks/bench_$*.py

docs: $(READY) ## write the reference, the tables and the pictures again, and check every page
	@$(PY) docs/make_reference.py
	@$(PY) docs/make_peers.py
	@$(PY) docs/make_dashboard.py
	@$(PY) -m pytest tests/docs/test_pages.py

lock: ## resolve requirements.txt again (UPGRADE=1 takes the newest releases)
	@$(find_python); work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	options="--quiet --extra dev --no-annotate --no-header --strip-extras --no-emit-index-url $(if $(UPGRADE),--upgrade)"; \
	cp requirements.txt "$$work/lock.txt" 2>/dev/null || true; \
	if command -v uv >/dev/null; then \
	  uv pip compile $$options --python-version 3.11 -o "$$work/lock.txt" pyproject.toml >/dev/null; \
	else \
	  $$python -m venv "$$work/venv"; "$$work/venv/bin/python" -m pip install -qq pip-tools; \
	  "$$work/venv/bin/pip-compile" $$options --no-emit-trusted-host --no-emit-find-links \
	    --no-emit-options --allow-unsafe -o "$$work/lock.txt" pyproject.toml 2>"$$work/log" \
	    || { cat "$$work/log" >&2; exit 1; }; \
	fi; \
	{ echo '# The exact releases that CI and `make` install. Made by `make lock` from'; \
	  echo '# pyproject.toml; do not edit by hand.'; grep -E '^[A-Za-z0-9]' "$$work/lock.txt"; \
	} > "$$work/done.txt"; cmp -s "$$work/done.txt" requirements.txt || cp "$$work/done.txt" requirements.txt; \
	echo "requirements.txt: $$(grep -c == requirements.txt) releases"

clean: ## remove the virtual environment, caches and what builds leave
	@rm -rf $(VENV) dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find src tests benchmarks docs examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(READY): pyproject.toml requirements.txt
	@$(find_python); echo "making $(VENV) with $$($$python --version)"; \
	if command -v uv >/dev/null; then \
	  $(PY) -c '' 2>/dev/null || uv venv --quiet --clear --python "$$(command -v $$python)" $(VENV); \
	  uv pip install --quiet --python $(PY) -r requirements.txt; \
	  uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .; \
	else \
	  $(PY) -m pip --version >/dev/null 2>&1 || $$python -m venv --clear $(VENV); \
	  $(PY) -m pip install -qq --disable-pip-version-check -r requirements.txt; \
	  $(PY) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi; touch $@
