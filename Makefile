# One word for everything: make demo, test, lint, crash, bench, acceptance, clean.

VENV := .venv
BIN := $(VENV)/bin
# The first Python on the path that is new enough; another one: make PYTHON=/path/to/python3
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# One more than there are cores: much of the time a test waits for a process or a server.
PYTEST_ARGS ?= --dist worksteal -n $(shell echo $$(( $$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 1) + 1 )))
SHARED ?= ../shared

.PHONY: demo test lint crash bench acceptance clean
.DEFAULT_GOAL := demo

# Stamps, so that the second call has nothing to install.
$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "batchbook needs Python 3.11 or newer as python3 (or: make PYTHON=...)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python's venv module is missing (Debian: python3-venv)" >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml
	$(PIP) --editable '.[fast,online]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-lint: $(VENV)/.created pyproject.toml
	$(PIP) --editable '.[lint,online]'
	@touch $@

# The sample workbooks and their nightly jobs, offline; a second call resumes or runs again over the same workbooks.
demo: $(VENV)/.installed
	@test -e demo/config/batchbook.yaml || $(BIN)/batchbook init --sample demo
	cd demo && ../$(BIN)/batchbook run config/jobs/package-review.yaml --resume-auto || test $$? -eq 3
	test ! -e demo/data/isbn.xlsx || { cd demo && ../$(BIN)/batchbook isbn assign-due; }
	@echo "The finished workbooks: $(CURDIR)/demo/data/packages.xlsx and $(CURDIR)/demo/data/isbn.xlsx"

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-test $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every fault at every call; the counts are left in build/crash/table.txt.
crash: $(VENV)/.installed-test
	rm -rf build/crash
	$(BIN)/python -m pytest -m crash $(PYTEST_ARGS); status=$$?; \
	$(BIN)/python -m tests.crash.table build/crash; exit $$status

bench: $(VENV)/.installed-test
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/memory.py --rows 10000,50000
	$(BIN)/python benchmarks/review.py
	$(BIN)/python benchmarks/isbn.py

acceptance: $(VENV)/.installed-test
	$(BIN)/python $(SHARED)/acceptance/kill_resume.py --kills 40
	$(BIN)/python $(SHARED)/acceptance/fidelity.py
	$(BIN)/python $(SHARED)/acceptance/fidelity.py --where existing --value text
	$(BIN)/python $(SHARED)/acceptance/fidelity.py --where formula
	$(BIN)/python $(SHARED)/acceptance/fidelity.py --where existing --value nothing

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
