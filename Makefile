# make demo   install, then draw vehicles, train a small network on them, score it, and write the pictures to models/demo
# make test   install with the developers' tools, then run every notebook and every check
# make clean  remove the environment
#
# PIP_ARGS goes to every `pip install`. On Linux without a GPU, PyTorch without CUDA takes about 2 GB in place of 6.5:
#   make demo PIP_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu'
PYTHON   ?= python3
VENV     ?= .venv
PIP_ARGS ?=
BIN    := $(VENV)/bin
# Newer releases of pip read the second variable for what a build needs, older ones the first.
PIP    := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

.PHONY: demo test clean
.DELETE_ON_ERROR:

demo: $(VENV)/.library
	$(BIN)/dpa_demo --out models/demo

test: $(VENV)/.dev
	$(BIN)/python .ci/check.py

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: '$(PYTHON)' was not found. Install Python 3.10 or later, or name yours: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "make: $$($(PYTHON) --version) is too old. Install Python 3.10 or later, or name another: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: this Python has no venv or no pip to put into it. On Debian or Ubuntu: apt install python3-venv python3-pip"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.library: settings.ini setup.py constraints.txt | $(BIN)/python
	@echo "Installing the library into $(VENV): about three minutes and 6.5 GB the first time"
	$(PIP) $(PIP_ARGS) -e '.[weights]'
	@touch $@

$(VENV)/.dev: settings.ini setup.py constraints.txt | $(BIN)/python
	@echo "Installing the library and the developers' tools into $(VENV): about three minutes and 6.5 GB the first time"
	$(PIP) $(PIP_ARGS) -e '.[weights,dev]'
	@touch $@ $(VENV)/.library

clean:
	rm -rf $(VENV)
