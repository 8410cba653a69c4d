.DEFAULT_GOAL := help
# Without it each program that a test starts compiles its modules again: 0.6 s for buddy, 2 s for dbt.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help demo test test-fast test-bigquery-live mcp-conformance lint unit tools up down pictures settings lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 20

demo: .venv/installed ## a synthetic athlete's two years, from their files to the report
	.venv/bin/buddy demo

test: .venv/installed-dev ## all checks and all tests
	$(MAKE) --no-print-directory --jobs 2 lint unit # which leaves no processor idle

test-fast: .venv/installed-dev ## for daily work: Python's checks, and the tests that need no built warehouse, emulator or engine
	.venv/bin/ruff check .
	.venv/bin/mypy & types=$$!; \
	.venv/bin/pytest -n 3 -m "not slow" --ignore=tests/bigquery --ignore=tests/flows; tests=$$?; \
	wait $$types && exit $$tests

lint: .venv/installed-dev ## SQL, Python and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy & types=$$!; \
	BUDDY_DUCKDB_PATH=:memory: .venv/bin/python scripts/lint_sql.py models tests/dbt; sql=$$?; \
	wait $$types && exit $$sql

unit: tools ## every test, dbt's included
	.venv/bin/pytest -n 3 --dist loadgroup

tools: .venv/installed-dev ## what the tests run on: Chromium, Docker Compose, the emulator of BigQuery, Kestra's engine
	.venv/bin/python scripts/ensure_chromium.py
	scripts/ensure_compose
	scripts/install_emulator || [ $$? -eq 3 ]
	.venv/bin/python scripts/install_engine.py

.venv/installed: requirements.lock pyproject.toml scripts/install
	scripts/install requirements.lock
	touch $@

.venv/installed-dev: requirements-dev.lock pyproject.toml scripts/install
	scripts/install requirements-dev.lock
	touch $@ .venv/installed

test-bigquery-live: .venv/installed-dev ## the tests on BigQuery in a real project (CONTRIBUTING.md)
	@[ -n "$$BUDDY_BIGQUERY_PROJECT" ] || { echo "set BUDDY_BIGQUERY_PROJECT to a project of yours" >&2; exit 2; }
	BUDDY_TEST_BIGQUERY_LIVE=1 .venv/bin/pytest \
		tests/bigquery/test_loader.py tests/bigquery/test_emulator_build.py tests/ingest/test_landing.py \
		tests/ops/test_checks.py

up: ## start Kestra with the flows on this machine (docs/ops/runbook.md)
	deploy/compose version >/dev/null
	deploy/make_settings
	deploy/encode_secrets
	deploy/compose up --detach --build kestra
	deploy/compose run --rm flows
	if grep -q '^BUDDY_DISCORD_BOT_TOKEN=.' deploy/bot.env; then deploy/compose --profile bot up --detach bot; fi

down: ## stop Kestra and keep its data
	deploy/compose --profile bot down

pictures: .venv/installed-dev demo ## renew the README's pictures
	.venv/bin/python scripts/take_pictures.py

COMPILE = scripts/uv pip compile -q --universal --generate-hashes --no-header --no-annotate

mcp-conformance: .venv/installed-dev ## the public conformance suite against buddy mcp; needs Node 22 and a built warehouse
	.venv/bin/python scripts/mcp_conformance.py

settings: .venv/installed ## renew docs/core/settings.md from the registry of settings
	.venv/bin/python scripts/settings_page.py > docs/core/settings.md.new
	mv docs/core/settings.md.new docs/core/settings.md

lock: ## renew the lock files from pyproject.toml and requirements-emulator.in
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(COMPILE) --python-version 3.13 --override requirements-emulator.in \
		requirements-emulator.in -o requirements-emulator.lock
	scripts/check_wheels

clean: ## remove what was installed and built; keep data/
	rm -rf .venv .venv-emulator .kestra-engine target logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
