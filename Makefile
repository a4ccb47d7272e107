# make repro   everything on the embedded corpus: tables and figures in results/
#              (PROFILE=paper: the published recipe; it is written into params.yaml)
# make test    the tests          make smoke   the whole pipeline, tiny
# make lint    ruff               make setup   only the environment (every target makes it first)
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# one environment: what a user has installed elsewhere must not leak in
unexport PYTHONPATH PYTHONHOME

.PHONY: repro test smoke lint setup clean
.DEFAULT_GOAL := repro

# `dvc repro` takes no parameters on its command line; `dvc exp run -S profile=paper` is its way
repro: $(READY)
	$(if $(PROFILE),sed -i.old 's/^profile: .*/profile: $(PROFILE)/' params.yaml && rm params.yaml.old)
	dvc repro
	@echo && cat results/tables/fingerclip.md

test: $(READY)
	python -m pytest

# A copy of the working tree in .smoke/, so that the tiny results never touch the real ones.
smoke: $(READY)
	rm -rf .smoke && mkdir .smoke
	git ls-files --cached --others --exclude-standard | while IFS= read -r f; do \
	  [ ! -e "$$f" ] || { mkdir -p ".smoke/$$(dirname "$$f")" && cp "$$f" ".smoke/$$f"; }; done
	cd .smoke && git init -q && rm -rf dvc.lock results && \
	  sed -i.old 's/^profile: .*/profile: smoke/' params.yaml && dvc repro
	cd .smoke && python -m signclip verify && python -m benchmarks paper fingerclip --profile smoke

lint: $(READY)
	ruff check . && ruff format --check .

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Python 3.11 is needed and '$(PYTHON)' is not there; try: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed, this is " + sys.version)'
	[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@python -c 'import cv2' || { \
	  echo "OpenCV needs system libraries; on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0"; exit 1; }
	touch $(READY)

clean:
	rm -rf .smoke data features poses runs predictions
