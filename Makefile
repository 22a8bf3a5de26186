# make demo    train and test a LeNet on handwritten digits, from nothing
# make test    every test; make lint: ruff, mypy, import floors; make bench: speed, against named peers
# Each makes .venv from a lock first where that is needed; python3 with venv is all that must be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint bench lock wheels clean

demo: $(VENV)/run.stamp
	$(BIN)/python tools/demo.py

# A process for each of up to four cores, which has the tests of whole files.
test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/test.stamp
	$(BIN)/python -m tools.bench

UV := $(VENV)-lock/bin/uv

$(UV):
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv

# A lock holds every package with its version and hashes, for Python 3.10 to 3.13.
lock: $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
		--upgrade pyproject.toml tools/lock/build.in --output-file tools/lock/run.txt
	$(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
		--upgrade --constraint tools/lock/run.txt --extra test pyproject.toml tools/lock/build.in --output-file tools/lock/test.txt

# Every package of the lock has a wheel for each Python that is promised.
wheels: $(UV)
	for version in 3.10 3.11 3.12 3.13; do \
		$(UV) pip install --quiet --dry-run --target build/wheels --python-version $$version --python-platform x86_64-manylinux_2_28 \
			--only-binary :all: --require-hashes -r tools/lock/test.txt && echo "Python $$version: every wheel is there" || exit 1; \
	done

$(VENV)/run.stamp: tools/lock/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit(f"netcli needs Python 3.10 or later; $(PYTHON) is {sys.version.split()[0]}")'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "$(PYTHON) has no venv; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || echo "libgomp.so.1 is not here, so oneDNN can't be used and the plain NumPy bodies run instead; on Debian and Ubuntu: apt install libgomp1" >&2
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes -r $<
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.stamp: tools/lock/test.txt $(VENV)/run.stamp
	$(INSTALL) --require-hashes -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-lock build runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
