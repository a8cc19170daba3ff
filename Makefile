# `make help` lists what there is.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
export PYTHONPATH := $(CURDIR)

.PHONY: help run stop test lint unit bench lock production-check screenshots format

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

run: ## install what is missing, bring everything up, deploy the demo on the first start
	@setup/install.sh run
	@exec $(PYTHON) -m app.processes.up

stop: ## stop the panel, the ingress and the containers of all sites
	@$(PYTHON) -m app.processes.down

test: ## install what is missing, then lint and all tests
	@setup/install.sh test
	@$(MAKE) --no-print-directory lint
	@$(PYTHON) -m pytest $(if $(ARGS),$(ARGS),-n 3 --dist loadscope)

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
	.venv/bin/uv pip compile --quiet --no-header --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 requirements.in -o requirements.txt
	.venv/bin/uv pip compile --quiet --no-header --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	.venv/bin/uv pip compile --quiet --no-header --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 tests/clients/requirements.in -o tests/clients/requirements.txt

production-check: ## bring docker-compose up from nothing, use it, take it down (5 minutes, needs an engine)
	@setup/install.sh test
	@$(PYTHON) -m tests.production.check

screenshots: ## pictures of all pages into test-artifacts/screenshots
	@$(PYTHON) -m tests.browser.screenshots
