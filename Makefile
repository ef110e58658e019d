# A line that starts with a target and ends in `## words` is one that `make` lists.

PYTHON ?= python3
PORT ?= 8400
DIRECTORY ?= var

VENV := .venv
BIN := $(VENV)/bin
NODE := tests/payproc/outgoing/webhooks/node
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TESTS ?=

.DEFAULT_GOAL := help
.PHONY: help up demo test lint types contracts tests faults simulate fuzz bench format lock clean
# The order is the point: what is fastest to fail comes first.
.NOTPARALLEL:

help: ## list what can be made
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

up: $(VENV)/.installed ## run everything on this machine until Ctrl-C (PORT=8400, DIRECTORY=var, SEED=1; any setting)
	@exec $(BIN)/python -m sandbox.stack --directory $(DIRECTORY) --base-port $(PORT) $(if $(SEED),--seed)

demo: $(VENV)/.installed ## pay once through the real HTTP API, on a stack of its own
	@exec $(BIN)/python -m sandbox.demo

test: lint types contracts tests ## everything CI runs

lint: $(VENV)/.installed-dev ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## types, strictly
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev ## who may import whom
	$(BIN)/lint-imports

# A place of this run's own: each start of pytest closes the usual one to PostgreSQL's user, under runs still going on.
tests: $(VENV)/.installed-dev $(NODE)/node_modules/.package-lock.json ## tests, with the real servers (TESTS="tests/web -k money" for some of them)
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && set -x && $(BIN)/pytest -n 2 --dist loadscope --basetemp="$$place/tests" $(TESTS)

# `make test` runs the other tests of this folder.
faults: $(VENV)/.installed-dev ## every fault of real processes under load, into docs/proof.md, and the crowds (ONLY=RabbitMQ)
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && set -x && $(BIN)/pytest -m full --basetemp="$$place/tests" tests/faults $(TESTS)
	@exec $(BIN)/python -m tests.faults.table $(if $(ONLY),--only "$(ONLY)")

# Each time other requests; a failure names the seed that draws the same ones again.
fuzz: $(VENV)/.installed-dev ## requests that nobody would send, and notices (REQUESTS=100000, SEED=any number)
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && set -x && \
	FUZZ_REQUESTS=$(or $(REQUESTS),100000) FUZZ_SEED=$(or $(SEED),$$(date +%s)) \
	$(BIN)/pytest -n 2 --dist loadscope --basetemp="$$place/tests" tests/web/fuzz $(TESTS)

simulate: $(VENV)/.installed-dev ## the core under simulated time and faults (SEED=7 STEPS="…", MINUTES=10, MUTANTS=1)
	@PYTHONHASHSEED=0 exec $(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(STEPS),--steps "$(STEPS)") \
		$(if $(MINUTES),--minutes $(MINUTES)) $(if $(MUTANTS),--mutants)

bench: $(VENV)/.installed-dev ## measure, into docs/performance.md, beside a plain service (ONLY=accept,get; GROWTH=1000,1000000)
	@exec $(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(GROWTH),--growth $(GROWTH))

format: $(VENV)/.installed-dev ## let ruff format and mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.installed-dev ## compile requirements*.in to requirements*.txt
	$(call compile,requirements.in) --output-file requirements.txt
	$(call compile,requirements-dev.in) --constraint requirements.txt --output-file requirements-dev.txt

clean: ## forget what tools keep; data in var/ and the environment stay
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find payproc tasks web sandbox migrations tests -name __pycache__ -prune -exec rm -rf {} +

compile = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock' $(1)

# Stamps: the environment's own files change whenever pip likes.
$(VENV)/.installed: requirements.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(CHECK_PYTHON) && $(PYTHON) -m venv $(VENV); }
	@echo "installing requirements.txt into $(VENV)" && $(PIP) install --requirement requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "installing requirements-dev.txt into $(VENV)" && $(PIP) install --requirement requirements-dev.txt
	@touch $@

# Receivers in Node verify webhooks with this package: our signatures are held against it.
$(NODE)/node_modules/.package-lock.json: $(NODE)/package-lock.json
	@echo "installing $(NODE)" && if npm ci --silent --prefix $(NODE); then touch $@; else \
		echo "the package for Node could not be had: the test that asks it is deselected"; fi

define CHECK_PYTHON
if ! command -v $(PYTHON) >/dev/null; then \
	echo "$(PYTHON) is missing: install Python 3.11 or newer, or name it: PYTHON=python3.12 make up" >&2; exit 1; \
elif ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	echo "$(PYTHON) is older than 3.11: name a newer one: PYTHON=python3.12 make up" >&2; exit 1; \
elif ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	echo "$(PYTHON) makes no environments: install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; \
fi
endef
