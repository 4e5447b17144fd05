# Two commands do everything, set-up included: `make figures` and `make test`.

PRESET ?= smoke
PROFILE ?= local
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# LOCKED=1 has the versions of requirements.lock, TORCH_INDEX=URL another build of PyTorch than pip's own choice.
PIN    := $(if $(LOCKED),--constraint requirements.lock)
LOCKED_EXTRAS := notebooks test export site lock browser slurm
# Snakemake's jobs and the notebooks' kernels find the environment on the path.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Many images of containers set it, and then each of some hundred processes compiles PyTorch and Jupyter for itself.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: figures publish test test-slow test-browser test-torchrun test-faults test-slurm publish-faults lab site lock locked lint clean
.DEFAULT_GOAL := help

help:
	@echo "make figures [PRESET=smoke|cpu|paper|FILE.toml]  train what is missing and draw every figure, to figures/mine/"
	@echo "make publish [PRESET=smoke|cpu|paper]  the same, and copy them to figures/; of smoke, also renew notebooks, README and docs"
	@echo "make test       unit tests, and every notebook run and checked"
	@echo "make test-slow  train ResNet-18, VGG-16 and MobileNet of torchvision and timm, and what else is slow: half an hour"
	@echo "make test-browser  every notebook in JupyterLab, its sliders moved, and the site, in the system's Chromium or Chrome"
	@echo "make test-torchrun  runs over several processes, some minutes"
	@echo "make figures PROFILE=slurm  the same on a cluster: docs/cluster.md"
	@echo "make test-slurm a real Slurm of one node, and what can happen to its jobs, ten minutes; apt installs it where it can"
	@echo "make test-faults  break things on purpose, half an hour; make publish-faults puts its table into docs"
	@echo "make lab        JupyterLab on the notebooks"
	@echo "make site       documentation and notebooks as pages, to build/site/index.html"
	@echo "make lint       ruff, and the direction of imports"
	@echo "make lock       write requirements.lock anew: LOCK=--upgrade takes the newest versions"
	@echo "LOCKED=1 with any of them installs the versions of requirements.lock; TORCH_INDEX=URL says from where PyTorch comes"

# Made once, and again when pyproject.toml changes. Python compiles what it imports then: a small part of all.
# .venv/locked is there as long as what is installed are the lock's versions: where it is missing, LOCKED=1 installs them.
$(VENV)/installed: pyproject.toml $(if $(LOCKED),requirements.lock $(if $(wildcard $(VENV)/locked),,locked))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $$($(PYTHON) --version) is too old: 3.11 or newer is needed; name one with make PYTHON=..."; exit 1; }
	@echo "making the environment in $(VENV) (once; PyTorch and Jupyter are large) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(if $(TORCH_INDEX),$(PIP) --no-deps --index-url $(TORCH_INDEX) $(PIN) torch torchvision)
	@$(PIP) $(PIN) --editable '.[notebooks,test,export]'
	@$(if $(LOCKED),touch,rm -f) $(VENV)/locked
	@touch $@

# No file: what needs it is made anew, also where the file system's clock can't tell two moments apart.
locked:

# An extra that only some of what is below needs, by its name in pyproject.toml.
$(VENV)/%-installed: $(VENV)/installed
	@$(PIP) $(PIN) --editable '.[$*]'
	@touch $@

figures: $(VENV)/installed $(if $(filter-out local,$(PROFILE)),$(VENV)/slurm-installed)
	@$(BIN)/python -m reproduce figures --preset "$(PRESET)" --profile "$(PROFILE)"

publish: $(VENV)/installed
	@$(BIN)/python -m reproduce publish --preset "$(PRESET)"

# The runs come first, in parallel, so that the notebooks only load them.
test: $(VENV)/installed
	@$(BIN)/python -m reproduce figures --preset smoke trained
	@$(BIN)/python -m pytest tests -n 2
	@SNNLIB_FIGURES=build/nbval TQDM_DISABLE=1 $(BIN)/python -m pytest --nbval-lax --nbval-current-env notebooks -n 2 --dist loadscope

# Those of timm, of Lightning and of the site, where they are installed: pip install -e '.[interop,site]'.
test-slow: $(VENV)/installed
	@$(BIN)/python -m pytest tests -m slow -n 2

test-torchrun: $(VENV)/installed
	@$(BIN)/python -m pytest tests/training/test_ranks.py tests/runs/test_several_devices.py -m torchrun

# What is seen is kept in build/browser/, to be looked at. Whether there is a browser is asked before all that takes long.
test-browser: $(VENV)/browser-installed
	@$(BIN)/python tests/browser/chromium.py
	@$(MAKE) --no-print-directory site
	@$(BIN)/python -m reproduce figures --preset smoke trained
	@$(BIN)/python -m pytest tests/browser -m browser -n 2 --dist worksteal

# Kills, full disks, damaged files, crowds: what `make test` tries a few times, many times.
test-faults: $(VENV)/installed
	@$(BIN)/python -m reproduce figures --preset smoke trained
	@$(BIN)/python -m pytest tests/faults -m faults -n 2 --dist worksteal

test-slurm: $(VENV)/slurm-installed
	@$(BIN)/python -m pytest tests/slurm -m slurm

publish-faults: $(VENV)/installed
	@$(BIN)/python tests/faults/table.py

lab: $(VENV)/installed
	@$(BIN)/jupyter lab notebooks

# Anew each time, so that nothing is left of a page that is gone. What Sphinx warns of ends it, broken links among that.
site: $(VENV)/site-installed
	@rm -rf build/site build/site-source build/site-pages
	@$(BIN)/python docs/site/assemble.py build/site-source
	@$(BIN)/python -m sphinx -W -q -j auto -c docs/site -d build/site-pages build/site-source build/site
	@$(BIN)/python docs/site/check.py build/site
	@echo "build/site/index.html"

# For every system and Python. Versions that are there stay where they can. CUDA's packages are left out: PyTorch's
# build for processors has none, and any other names the one version of each that it goes with.
lock: $(VENV)/lock-installed
	@$(BIN)/uv pip compile pyproject.toml $(addprefix --extra ,$(LOCKED_EXTRAS)) --universal --python-version 3.11 \
	  --fork-strategy fewest --annotation-style line --custom-compile-command "make lock" $(LOCK) \
	  --quiet --output-file requirements.lock
	@mkdir -p build
	@grep -vE '^(nvidia|cuda|triton)[-=]' requirements.lock > build/requirements.lock
	@mv build/requirements.lock requirements.lock

lint: $(VENV)/installed
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

clean:
	rm -rf build .snakemake .pytest_cache .mypy_cache .ruff_cache
