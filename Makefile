# Everything runs in .venv, which `make setup` makes from the lock.
SHELL := /bin/bash
PYTHON ?= python3
LOCK ?= requirements.lock
MOST ?= 30
KILLS ?= 200
INPUTS ?= 5000
MARK ?= not slow
BIN := .venv/bin
READY := .venv/ready-$(notdir $(basename $(LOCK)))
# hashes, every platform, and no address of a registry
RESOLVE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml
# MLflow gets the runs while the next stage trains
TRACK := python -m warmstart track
# DVC as the flow runs it: where another machine made what dvc.lock names, what was made here is found
DVC := python -P src/prefect_dvc/dvc_process.py dvc
# the commands of dvc.yaml find the environment's python; nothing calls home
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_HOME ?= $(CURDIR)/.prefect
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false

.DEFAULT_GOAL := help
.PHONY: help setup run flow more experiments plan serve worker prefect mlflow track book test test-slow test-jax mutations replicate bench bench-gpu profile chaos screenshots check lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from the hashed lock (LOCK=requirements-gpu.lock, or -jax-cuda.lock, for a GPU)

# $(call environment,FOLDER,LOCK): a virtual environment with what LOCK pins, byte-compiled, and this package
define environment
@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"PYTHON: expected Python 3.11 to 3.13, received {v[0]}.{v[1]}; name another one, as in: make PYTHON=python3.12 setup")'
@echo "setting up $(1) (once, about a minute)"
$(PYTHON) -m venv --clear $(1)
$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
$(1)/bin/uv pip install --quiet --python $(1)/bin/python --require-hashes --compile-bytecode -r $(2)
$(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation --compile-bytecode --editable .
@touch $@
endef

$(READY): $(LOCK) requirements-uv.lock pyproject.toml
	$(call environment,.venv,$(LOCK))

.venv-bench/ready: requirements-bench.lock requirements-uv.lock pyproject.toml
	$(call environment,.venv-bench,requirements-bench.lock)

# data of your own, named on the command line: they go by the environment, as they are, so that nothing in a path or a
# name is run by make or by a shell
given = $(if $(filter command,$(origin $(1))),$(value $(1)))
export OWN_DATA := $(call given,DATA)
export OWN_TARGET := $(call given,TARGET)
export OWN_NAME := $(call given,NAME)
unexport DATA TARGET NAME
OWN := $(if $(OWN_DATA)$(OWN_TARGET),$(BIN)/python -m warmstart.own_data)

run: setup ## run the whole DAG: data, model A, model B, the studies, the report (DATA=file TARGET=column: your own data)
	@$(BIN)/python -m warmstart check$(if $(OWN), "--path=$$OWN_DATA" "--target=$$OWN_TARGET")
	@$(BIN)/$(TRACK) --during $(strip $(OWN) $(BIN)/$(DVC)) $(if $(OWN),exp run,repro)
	@echo "every run: make mlflow"

flow: setup ## run the same DAG as a Prefect flow, independent stages side by side
	@$(BIN)/python -m warmstart check
	@$(BIN)/python -m flows

more: setup ## go on where verdicts are open, with up to MOST seeds (30); finished trials are not trained again
	@$(BIN)/$(TRACK) --during $(BIN)/$(DVC) exp run --set-param compare.most_seeds=$(MOST)

experiments: setup ## list the experiments: what changed in params.yaml and what it brought
	@COLUMNS=$${COLUMNS:-160} $(BIN)/dvc exp show --no-pager --only-changed --drop Created

plan: setup ## print what make flow would run, wave by wave, and start nothing
	@$(BIN)/python -m flows --plan

# runs work in git worktrees: the code is theirs, the comparison is this checkout's
serve worker: export PYTHONPATH := src
serve worker: export MLFLOW_TRACKING_URI ?= sqlite:///$(CURDIR)/mlflow.db
serve worker: export PREFECT_API_URL ?= http://127.0.0.1:4200/api
serve: setup ## serve the flow with its schedules (make prefect in another terminal first)
	@$(BIN)/python -m flows --serve

worker: setup ## run what Prefect's server hands to the work pool `local`, here or on further machines (docs/prefect.md)
	@PREFECT_API_AUTH_STRING=$$($(BIN)/python -c 'import os, flows, prefect_dvc; print(os.environ.get("PREFECT_API_AUTH_STRING", ""))') \
		$(BIN)/prefect worker start --pool local --limit 1

prefect: setup ## start Prefect's server and UI, which ask for a login, on 127.0.0.1:4200
	@$(BIN)/python -m flows.server

mlflow: setup ## publish what MLflow lacks, then serve its pages on 127.0.0.1:5000 or the next free port
	@-$(BIN)/$(TRACK)
	@$(BIN)/python -m warmstart mlflow

track: setup ## publish to MLflow what it lacks of the results
	@$(BIN)/$(TRACK)

book: setup ## repeat the chapter's experiments on Fashion-MNIST over seeds (35 minutes)
	@$(BIN)/$(DVC) repro --force benchmarks/dvc.yaml:book

test: setup ## run the suite (MARK= : all of it, what takes longer, too)
	@$(BIN)/python -m pytest -m "$(MARK)"

test-slow: setup ## run what takes longer: whole pipelines, kills, outages, browsers, other servers, several machines
	@$(BIN)/python -m pytest -m slow

test-jax: setup ## run the tests of networks and training on Keras's JAX backend
	@KERAS_BACKEND=jax $(BIN)/python -m pytest tests/networks tests/training/test_program.py tests/training/test_probe.py tests/training/test_worker.py

replicate: setup ## run everything on eight root seeds: which verdicts hold when the run is repeated (an hour)
	@$(BIN)/python benchmarks/replicate.py

bench: .venv-bench/ready ## measure the engine against fit, Keras Tuner, Optuna and Ray Tune, and what MLflow costs (an hour)
	@.venv-bench/bin/python benchmarks/engine.py
	@.venv-bench/bin/python benchmarks/tracking.py --parts publish training

bench-gpu: setup ## studies of 256 and 1,024 trials on the accelerator that is here, against the loop of fit (8 minutes)
	@$(BIN)/python benchmarks/gpu.py

profile: setup ## where the processor's time of a whole `make run` goes, by stage and by kind (3 minutes)
	@$(BIN)/python benchmarks/processor_time.py

chaos: setup ## kill whole runs, flows, workers and publishers at random, mutate inputs, damage files, send hostile requests
	@$(BIN)/python -m benchmarks.chaos --kills $(KILLS) --inputs $(INPUTS)

screenshots: setup ## make the pictures of README.md and docs/ anew (4 minutes, needs Chromium)
	@$(BIN)/python docs/screenshots.py

mutations: setup ## break the code on purpose, one place at a time, and see a test turn red (10 minutes)
	@$(BIN)/python tests/mutations.py

check: setup ## format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	@$(BIN)/mypy

lock: ## resolve the lock files anew from pyproject.toml
	$(RESOLVE) --extra cpu --extra dev -o requirements.lock
	$(RESOLVE) --extra gpu --extra dev -o requirements-gpu.lock
	$(RESOLVE) --extra jax --extra dask -o requirements-jax.lock
	$(RESOLVE) --extra jax-cuda --extra dask -o requirements-jax-cuda.lock
	$(RESOLVE) --extra cpu --extra jax --extra dask --extra bench -o requirements-bench.lock

clean: ## remove what the pipeline made, but not DVC's cache, finished trials, MLflow's runs or .venv
	rm -rf data/prepared models results reports .warmstart
