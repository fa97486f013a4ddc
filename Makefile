# make install | demo | test | soak | lint | bench | compiled; each makes .venv when it is not there.
# make demo ARGS="--until-done", make test ARGS="tests/web -x"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
ARGS ?=
LANES := -n 2 --dist loadfile --no-loadscope-reorder
# What servers write under test nobody keeps: it goes to memory where there is room for it.
IN_MEMORY := $(shell df -k --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 8000000 { print "TMPDIR=/dev/shm" }')

.PHONY: install demo test soak lint bench compiled
.NOTPARALLEL:

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
		|| { echo "floorpulse needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "installing into $(VENV): a minute or two, once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[embedded,dev]'
	$(BIN)/floorpulse install
	@touch $@

demo: $(READY)
	@$(BIN)/floorpulse demo $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two files at a time: whole floors wait for half of their time, for what was killed to come back.
test: lint
	@$(IN_MEMORY) $(BIN)/pytest $(or $(ARGS),$(LANES))

soak: $(READY)
	@$(IN_MEMORY) $(BIN)/pytest tests/faults tests/acceptance/test_february.py --soak $(or $(ARGS),$(LANES))

bench: $(READY)
	@$(BIN)/python -c 'import psutil' 2>/dev/null || $(BIN)/pip install --quiet -c constraints.txt -e '.[bench]'
	@$(BIN)/python -m benchmarks $(ARGS)

# A wheel whose engine is machine code, in dist: wants a C compiler.
compiled: $(READY)
	FLOORPULSE_COMPILED=3 $(BIN)/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .
