# The same few commands for a person and for CI.
#   make run [STUDY=folder] [CORES=4] [CONFIG=config/full.yaml]   make slurm STUDY=folder   make view [STUDY=folder] [PORT=8080]
#   make test   make test-slurm   make test-faults   make reliability   make docs
#   make test-browser   make test-packages   make check   make bench   make bench-gpu
STUDY ?= .
CORES ?= all
PORT ?= 8080
PYTHON ?= python3
BIN := .venv/bin
.DELETE_ON_ERROR:
# Another Python's home would hide the packages in .venv.
unexport PYTHONHOME
# A .venv that was copied or moved with its clone runs the code of the place where it was made.
MADE_IN := $(shell cat .venv/installed 2>/dev/null)
ifneq ($(MADE_IN),)
ifneq ($(MADE_IN),$(shell pwd -P))
$(error .venv was made for the clone in $(MADE_IN) and was copied or moved here; delete it (rm -r .venv) and run make again)
endif
endif
.PHONY: run view test test-browser test-packages test-slurm test-faults check format bench bench-gpu slurm install docs reliability

run: .venv/installed
	@$(BIN)/slidecaf run "$(STUDY)" --cores $(CORES) $(if $(CONFIG),--configfile "$(abspath $(CONFIG))")

slurm: .venv/installed
	@$(BIN)/slidecaf run "$(STUDY)" --profile slurm

# In two processes: a file's tests stay together, since they share studies.
test: .venv/installed
	$(BIN)/python -m pytest -m "not long" --numprocesses 2 --dist loadfile --no-loadscope-reorder --reliability=build/reliability/test.json

test-faults: .venv/installed
	$(BIN)/python -m pytest tests/faults tests/package tests/workflow -m long --numprocesses 2 --dist worksteal --timeout 1500 --reliability=build/reliability/test-faults.json

# docs/reliability.md from what the tests last wrote
reliability: .venv/installed
	$(BIN)/python docs/make_reliability.py

test-slurm: .venv/installed
	@tests/slurm/install.sh
	$(BIN)/python -m pytest tests/slurm --reliability=build/reliability/test-slurm.json

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python envs/lock.py --check
	$(BIN)/snakemake --lint

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

bench: .venv/installed
	$(BIN)/python benchmarks/run.py

bench-gpu: .venv/installed
	$(BIN)/python benchmarks/gpu.py --json build/gpu.json

# The site is build/site/index.html.
docs: .venv/installed
	$(BIN)/python docs/make_reference.py
	$(BIN)/zensical build --clean --strict

install: .venv/installed

# The stamp is made last. An installation that was cut off is begun anew: pip takes a half-written package for a whole one.
# pip would compile on one core. A file that is of another Python fails there too, and is never imported.
.venv/installed: requirements.txt pyproject.toml
	@test -x $(BIN)/pip -a ! -e .venv/installing || { echo "making .venv"; $(PYTHON) -m venv --clear .venv; }
	@touch .venv/installing
	@echo "installing the pinned packages into .venv (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@$(BIN)/python -c "import compileall; compileall.compile_dir('.venv/lib', quiet=2, workers=0)"
	@rm .venv/installing
	@pwd -P > $@

view: .venv/installed
	@$(BIN)/slidecaf view "$(STUDY)" --port $(PORT)

# The viewer in Debian's chromium, which is installed where it is missing.
test-browser: .venv/installed
	@tests/browser/install.sh
	$(BIN)/python -m pytest tests/browser

# What test-browser and test-slurm install of Debian, one after the other since apt works alone.
test-packages:
	@tests/browser/install.sh
	@tests/slurm/install.sh
