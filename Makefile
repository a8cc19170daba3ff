# `make help` lists what there is.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
export PYTHONPATH := $(CURDIR)
# Each of the tests' processes would compile all tests anew, ten seconds each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run stop test some all lint unit bench lock production-check screenshots format

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

run: ## install what is missing, bring everything up, deploy the demo on the first start
	@setup/install.sh run
	@exec $(PYTHON) -m app.processes.up

stop: ## stop the panel, the ingress and the containers of all sites
	@$(PYTHON) -m app.processes.down

test: ## install what is missing, then lint and all tests
	@setup/install.sh test
	@$(MAKE) --no-print-directory $(if $(ARGS),lint some,-j 2 lint all)

some:
	@$(PYTHON) -m pytest $(ARGS)

# Pytest rewrites the assertions of every test file and keeps the result: once, and not in each of
# the processes that run them.
all:
	-@$(PYTHON) -m pytest --collect-only -qq >/dev/null 2>&1
	@$(PYTHON) -m pytest -n 4 --dist loadscope

lint: ## ruff, mypy --strict, import-linter, djlint
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/djlint templates --check --lint --quiet

format: ## let ruff and djlint put the code in order
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/djlint templates --reformat --quiet || true

bench: ## run all benchmarks, or one: make bench NAME=pages
	@setup/install.sh test
	@$(PYTHON) -m bench $(NAME)

lock: ## pin the requirements again, with hashes
	@for lock in requirements requirements-dev tests/clients/requirements setup/uv; do \
	    .venv/bin/uv pip compile --quiet --no-header --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 $$lock.in -o $$lock.txt || exit 1; \
	done

production-check: ## bring docker-compose up from nothing, use it, take it down (5 minutes, needs an engine)
	@setup/install.sh test
	@$(PYTHON) -m tests.production.check

screenshots: ## pictures of all pages into test-artifacts/screenshots
	@$(PYTHON) -m tests.browser.screenshots
