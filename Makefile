# make demo: install into .venv, then fill half of a picture.
# make test: the same, then the tests; all of them with PYTEST='--slow all'.
# make lint: what the linter and the type checker say of the code.
# make mutants: which small faults the tests see (an hour).
# make docs: the site, into docs/_build/html; notebooks are run when they have changed.

PYTHON ?= python3
BIN := .venv/bin

# Containers often say that Python should keep no bytecode: each process would then compile torch's files again, for ten seconds.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint mutants docs
demo: .venv/demo
	$(BIN)/vipaint demo --overwrite

test: .venv/test
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(PYTEST)

# An installed package has models and guides within; mypy is shown the same.
lint: .venv/test
	$(BIN)/ruff check
	@mkdir -p build/types/vipaint_pyro
	@ln -sfn ../../../models build/types/vipaint_pyro/models
	@ln -sfn ../../../guides build/types/vipaint_pyro/guides
	$(BIN)/mypy

mutants: .venv/test
	$(BIN)/python -m tests.mutants.run

docs: .venv/docs
	$(BIN)/python -m sphinx -W --keep-going -c docs $(SPHINXOPTS) . docs/_build/html

# With --no-compile: Python compiles what it imports, pip would compile all there is, for a minute.
.venv/demo: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	@touch $@

.venv/test: .venv/demo
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[test]'
	@touch $@

.venv/docs: .venv/demo
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[docs]'
	@touch $@
