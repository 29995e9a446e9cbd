# Two commands do all the set-up: `make optimize` and `make test`.
# PYTHON chooses the interpreter (CPython 3.11 or later) that .venv is made from.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?= -n 2 --dist worksteal

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The requirements of an extra, without installing the package again.
EXTRA = $(BIN)/python -c "import configparser, sys; c = configparser.ConfigParser(); \
	c.read('setup.cfg'); print(c['options.extras_require'][sys.argv[1]])"
SOURCES := setup.cfg setup.py pyproject.toml constraints.txt \
	$(shell find csrc -name '*.[ch]pp' -not -path '*/tests/*' 2>/dev/null)

.PHONY: help optimize test test-slurm lint format types docs docs-tables wheel test-wheel clean
.DELETE_ON_ERROR:

help:
	@echo "make optimize  install into $(VENV) and tune nes_cartpole with BOHB"
	@echo "make test      install the test extra and run every test"
	@echo "make test-slurm  tests on a throw-away SLURM (Debian's slurm-wlm), if there is one"
	@echo "make lint      ruff: rules and format"
	@echo "make types     mypy"
	@echo "make docs      build site/ of docs/; every link is checked"
	@echo "make docs-tables  tables of docs/ whose facts are in the code"
	@echo "make wheel     build dist/*.whl for any Linux; make test-wheel installs one"
	@echo "make clean     remove $(VENV) and what was built"

optimize: $(VENV)/.installed
	$(BIN)/python -m se_hpo.optimize --space nes_cartpole

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-slurm: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "slurm and not slow"

lint: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

format: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

types: $(VENV)/.installed-dev
	$(BIN)/python -m mypy

docs-tables: $(VENV)/.installed
	$(BIN)/python docs/tables.py

# Reads the code and does not run it: the package need not be installed.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

wheel: $(VENV)/.installed-wheel
	rm -f dist/*.whl
	$(BIN)/python -m build
	PATH="$(abspath $(BIN)):$$PATH" auditwheel repair --wheel-dir dist dist/*-linux_*.whl
	rm dist/*-linux_*.whl

test-wheel: $(VENV)/.installed-test $(VENV)/.installed-wheel
	$(BIN)/python -m pytest -m slow tests/end_to_end/test_packaging.py

clean:
	rm -rf $(VENV) build dist site *.egg-info se_hpo/_engine*.so

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$(PYTHON) is missing or older than 3.11: make PYTHON=/path/to/python3.11" >&2; \
	exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; \
	exit 1; }
	@$(PYTHON) -c 'import pathlib as p, sysconfig as s, sys; \
	sys.exit(not p.Path(s.get_path("include"), "Python.h").exists())' || { \
	echo "$(PYTHON) has no C headers: apt-get install python3-dev" >&2; exit 1; }
	@command -v cc >/dev/null || { \
	echo "no C compiler, which a dependency needs: apt-get install gcc g++" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made $(SOURCES)
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(EXTRA) test | $(PIP) install -q -c constraints.txt -r /dev/stdin
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.made setup.cfg constraints.txt
	$(EXTRA) docs | $(PIP) install -q -c constraints.txt -r /dev/stdin
	@touch $@

$(VENV)/.installed-wheel: $(VENV)/.installed
	$(EXTRA) wheel | $(PIP) install -q -c constraints.txt -r /dev/stdin
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(EXTRA) dev | $(PIP) install -q -c constraints.txt -r /dev/stdin
	@touch $@
