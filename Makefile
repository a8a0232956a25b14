# Thin on purpose: every target is one command that works without make too.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
NODE_MODULES := tests/e2e/node/node_modules/.installed

ALL_CORES := $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4

.PHONY: run demo test fuzz supervision kills connections check format bench docs proto clean
.DEFAULT_GOAL := run

run: $(INSTALLED) bytecode ## Serve the examples on simulated hardware.
	$(BIN)/loki serve --config examples/loki.toml

demo: $(INSTALLED) bytecode ## Serve, call every example once, stop.
	$(BIN)/loki demo --config examples/loki.toml

test: $(INSTALLED_DEV) bytecode node lua ## All set-up, all tests; coverage in htmlcov/ and coverage.xml.
	$(ALL_CORES) tests/unit tests/contract --cov --cov-report= --cov-fail-under=0
	$(ALL_CORES) tests/architecture tests/integration tests/e2e --dist=loadfile \
		--cov --cov-append --cov-report=html --cov-report=xml

fuzz: $(INSTALLED_DEV) bytecode ## Random attacks on the sandbox from a random seed: make fuzz SECONDS=3600
	LOKI_FUZZ_S=$(or $(SECONDS),600) $(BIN)/python -m pytest tests/unit/loki/lua/test_fuzz.py

supervision: $(INSTALLED_DEV) bytecode ## Random lives of random supervision trees: a million steps.
	LOKI_SUPERVISION_STEPS=$(or $(STEPS),1000000) $(BIN)/python -m pytest tests/unit/loki/core/supervisor/test_restart.py

storm: $(INSTALLED_DEV) bytecode ## SIGKILLs on everything, under load, from a random seed: make storm SECONDS=3600
	LOKI_STORM_S=$(or $(SECONDS),600) $(BIN)/python -m pytest -s tests/e2e/test_storm.py

kills: $(INSTALLED_DEV) bytecode ## Kill Loki, or Hel alone, while all stores are written: make kills ROUNDS=10000
	LOKI_KILL_ROUNDS=$(or $(ROUNDS),100) $(BIN)/python -m pytest -s tests/e2e/test_store_kill.py

connections: $(INSTALLED_DEV) bytecode ## Idle connections of clients, very many: make connections COUNT=10000
	LOKI_CONNECTIONS=$(or $(COUNT),10000) $(BIN)/python -m pytest -s tests/e2e/test_connections.py

check: $(INSTALLED_DEV) ## Format, lint, types, import contracts, fresh stubs and reference.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/python proto/generate.py --check
	$(BIN)/python docs/generate.py --check

format: $(INSTALLED_DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED_DEV) bytecode ## Ratios to a bare gRPC echo, measured in the same run.
	$(BIN)/python -m benchmarks

docs: $(INSTALLED_DEV) ## Generate docs/reference/settings.md from the models of the settings.
	$(BIN)/python docs/generate.py

proto: $(INSTALLED_DEV) ## Generate loki/v1 from proto/.
	$(BIN)/python proto/generate.py

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Loki needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

$(INSTALLED): .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[server,series]'
	touch $@

$(INSTALLED_DEV): .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(INSTALLED) $@

.PHONY: bytecode
bytecode: $(INSTALLED) ## What pip leaves in an installed package; also where Python is told to write none.
	@$(BIN)/python -m compileall -q loki children

.PHONY: node
node: ## Clients for the end-to-end tests; skipped where there is no npm.
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE_MODULES); \
	else echo "npm is not installed: the tests of the Node.js client will be skipped"; fi

$(NODE_MODULES): tests/e2e/node/package-lock.json
	cd tests/e2e/node && npm ci --silent --no-audit --no-fund
	touch $@

.PHONY: lua
lua: ## Plain Lua, which scripts are compared with; installed where root and apt are there.
	@if command -v lua5.4 >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Debian's lua5.4 for the conformance tests"; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get install -qq lua5.4 >/dev/null 2>&1 \
			|| { apt-get update -qq && apt-get install -qq lua5.4 >/dev/null; } && exit 0; \
	fi; \
	echo "lua5.4 is not installed: the conformance tests will be skipped"

clean:
	rm -rf .venv tests/e2e/node/node_modules build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.coverage coverage.xml htmlcov
