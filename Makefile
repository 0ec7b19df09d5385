# What each target does is said behind its name; `make help` shows it.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
export PYTHONDONTWRITEBYTECODE :=
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

BIN := .venv/bin
KAFKA := .cache/kafka/libs
DATA := $(or $(CERTMARK_DATA),.data)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: .venv/runtime.stamp scanner ## set up and start everything on demonstration data, with Python alone; Ctrl-C ends it
	@exec $(BIN)/certmark up --demo

run-kafka: .venv/runtime.stamp scanner .cache/kafka.stamp ## the same over a real Kafka broker (needs Java 17 and Maven, and says how)
	@exec env CERTMARK_DATA=$(DATA)/with-kafka $(BIN)/python deploy/kafka/broker.py \
	  --libs $(KAFKA) --data $(DATA)/with-kafka/broker -- $(BIN)/certmark up --demo

test: .venv/dev.stamp scanner ## set up and run every layer of tests; T=tests/unit/test_x.py narrows, SEED=1 repeats
	@exec $(BIN)/python tests/layers.py $(T)

lint: .venv/dev.stamp ## ruff, mypy, import-linter, codespell
	@exec $(BIN)/python tests/layers.py lint

bench: .venv/dev.stamp .cache/kafka.stamp ## measure, each figure as a ratio to a limit of this machine
	@deploy/system_packages.sh wrk
	@exec $(BIN)/python -m bench

faults: .venv/dev.stamp ## kill processes and break connections, then check that nothing was lost or doubled
	@exec $(BIN)/python tests/layers.py tests/fault

format: .venv/dev.stamp ## put the code into its form
	@$(BIN)/ruff check -q --fix-only . ; $(BIN)/ruff format .

lock: ## renew both lock files from pyproject.toml (needs uv)
	uv pip compile -q pyproject.toml --extra build --extra dev -o requirements-dev.lock $(LOCK)
	uv pip compile -q pyproject.toml --extra build -c requirements-dev.lock -o requirements.lock $(LOCK)
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" $(LOCK_FLAGS)

clean: ## remove what can be made again (the data under .data stays)
	rm -rf .venv .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help run run-kafka test lint bench faults format lock clean kafka nginx scanner

# --- the virtual environment: made once, filled again only when a lock file has changed ---

.venv/made.stamp:
	@deploy/make_venv.sh .venv
	@touch $@

.venv/runtime.stamp: requirements.lock pyproject.toml | .venv/made.stamp
	@echo "Installing what certmark needs …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/runtime.stamp
	@echo "Installing what its tests need …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# --- the scanner's packages, by npm where there is one ---

SCANNER := .venv/share/certmark

scanner: $(SCANNER)/scanner.stamp

$(SCANNER)/scanner.stamp: services/verify/scan/package-lock.json services/verify/scan/package.json | .venv/made.stamp
	@deploy/scanner_packages.sh $(abspath $(SCANNER))

# --- Apache Kafka, by Maven ---

kafka: .cache/kafka.stamp

.cache/kafka.stamp: deploy/kafka/pom.xml
	@deploy/system_packages.sh java maven
	@rm -rf $(KAFKA) && mkdir -p $(KAFKA)
	@echo "Fetching Apache Kafka …"
	@mvn --quiet --batch-mode -f deploy/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(abspath $(KAFKA))
	@touch $@

# --- nginx, for the tests of the proxy ---

nginx: .cache/nginx.stamp

.cache/nginx.stamp: deploy/proxy/binary.sh
	@deploy/proxy/binary.sh .cache/nginx
	@touch $@
