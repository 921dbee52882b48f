# Two commands do everything on a fresh Debian or Ubuntu with Python 3.11: `make demo` and `make test`.

VENV ?= .venv
VENV_OLDEST ?= .venv-oldest
VENV_ANOMALIB ?= .venv-anomalib
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
INSTALLED_OLDEST := $(VENV_OLDEST)/.installed
INSTALLED_ANOMALIB := $(VENV_ANOMALIB)/.installed
INSTALLED_CAMERAS := $(VENV)/.installed-cameras
INSTALLED_CAMERAS_OLDEST := $(VENV_OLDEST)/.installed-cameras
# Two test processes on few cores: one thread for each, where the library lets itself be told.
TEST_PROCESSES ?= 2
export VENV VENV_OLDEST VENV_ANOMALIB

.PHONY: help setup demo test test-current test-oldest lint format bench train constraints clean distclean

help:  ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: $(INSTALLED)  ## Make the virtual environment (done by the others when needed)

$(INSTALLED): pyproject.toml constraints.txt tools/setup.sh tools/find_python.sh
	@tools/setup.sh
	@touch $@

$(INSTALLED_OLDEST): pyproject.toml constraints-oldest.txt tools/setup_oldest.sh tools/find_python.sh
	@tools/setup_oldest.sh
	@touch $@

$(INSTALLED_ANOMALIB): $(INSTALLED) constraints-anomalib.txt tools/setup_anomalib.sh
	@tools/setup_anomalib.sh
	@touch $@

$(INSTALLED_CAMERAS): $(INSTALLED) tools/setup_system.sh tools/setup_cameras.sh
	@tools/setup_system.sh
	@tools/setup_cameras.sh $(VENV) constraints.txt
	@touch $@

$(INSTALLED_CAMERAS_OLDEST): $(INSTALLED_OLDEST) tools/setup_system.sh tools/setup_cameras.sh
	@tools/setup_system.sh
	@tools/setup_cameras.sh $(VENV_OLDEST) constraints-oldest.txt
	@touch $@

demo: $(INSTALLED)  ## Fit, say in words, export, build and inspect on real photographs of solar cells
	PYTHONPATH=examples $(PYTHON) -m solar_cells

test: lint test-current test-oldest  ## Lint, then all tests, then the device's tests with the oldest versions

test-current: $(INSTALLED_CAMERAS) $(INSTALLED_ANOMALIB)  ## All tests
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(TEST_PROCESSES)

test-oldest: $(INSTALLED_CAMERAS_OLDEST)  ## The device's tests with the oldest versions that it allows
	$(VENV_OLDEST)/bin/python -m pytest -m "not torch" tests/runtime tests/shared

lint: $(INSTALLED_CAMERAS)  ## Check style, types and the direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PYTHON) benchmarks/readme.py --check
	$(PYTHON) tools/settings_reference.py --check

format: $(INSTALLED)  ## Format the code and mend what can be mended
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: demo $(INSTALLED_ANOMALIB)  ## Run the demo, measure speed and accuracy, and put the figures into the README
	$(PYTHON) benchmarks/prepare.py
	$(PYTHON) benchmarks/speed.py
	$(PYTHON) benchmarks/deadline.py
	$(PYTHON) benchmarks/latency.py
	$(PYTHON) benchmarks/peers.py
	$(PYTHON) benchmarks/growth.py
	$(PYTHON) benchmarks/roofline.py
	$(PYTHON) benchmarks/resize.py
	$(PYTHON) benchmarks/runtime_cost.py
	$(PYTHON) benchmarks/isolation.py
	$(PYTHON) benchmarks/station.py
	$(PYTHON) benchmarks/early_exit.py
	PYTHONPATH=examples $(PYTHON) benchmarks/precision.py
	$(PYTHON) benchmarks/detectors.py
	$(PYTHON) benchmarks/demo.py
	PYTHONPATH=examples $(PYTHON) benchmarks/accuracy.py
	$(PYTHON) benchmarks/readme.py

train: $(INSTALLED)  ## Train the embedded CLIP again
	EXTRAS=export,training,test tools/setup.sh
	PYTHONPATH=training $(PYTHON) -m nand_tiny.train
	PYTHONPATH=training $(PYTHON) -m nand_tiny.publish training/runs

constraints: $(INSTALLED)  ## Write constraints.txt with the newest versions that install together
	$(PYTHON) tools/constraints.py

clean:  ## Remove what the demo, the tests and the build wrote
	rm -rf demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean  ## Remove the virtual environments as well
	rm -rf $(VENV) $(VENV_OLDEST) $(VENV_ANOMALIB)
