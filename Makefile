# make repro   everything on the embedded corpus: tables and figures in results/
#              (PROFILE=paper: the published recipe; it is written into params.yaml)
# make full    three seeds of the rows beyond the paper, and the tables with them (hours)
# make plan    every step of `make repro` and its order, nothing run, no data needed
# make test    the tests          make smoke   the whole pipeline, tiny
# make lint    ruff               make setup   only the environment (every target makes it first)
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# one environment: what a user has installed elsewhere must not leak in
unexport PYTHONPATH PYTHONHOME

.PHONY: repro full plan test smoke lint setup clean
.DEFAULT_GOAL := repro

# `dvc repro` takes no parameters on its command line; `dvc exp run -S profile=paper` is its way
set-profile = $(if $(PROFILE),sed -i.old 's/^profile: .*/profile: $(PROFILE)/' params.yaml && rm params.yaml.old)
repro: $(READY)
	$(set-profile)
	dvc repro
	@echo && cat results/tables/fingerclip.md
	@echo && echo "pretraining: results/tables/pretraining.md; beyond the paper: results/tables/beyond.md"

# Results under a revision of their own: those of the pipeline stay. What is trained stays trained.
SEEDS := --seed 0 --seed 1 --seed 2
full: repro
	set -e; profile=$$(sed -n 's/^profile: \([a-z]*\).*/\1/p' params.yaml); \
	jobs=$$(sed -n 's/^jobs: \([0-9]*\).*/\1/p' params.yaml); \
	train="python -m benchmarks train --profile $$profile --jobs $$jobs $(SEEDS)"; \
	measure="python -m benchmarks evaluate --profile $$profile --revision $$profile-full $(SEEDS)"; \
	$$train E7.2 beyond --split in_domain; \
	$$train everywhere --split letters --split unseen_language; \
	$$measure E7.2 beyond baselines --split in_domain; \
	$$measure everywhere baselines --split letters --split unseen_language
	dvc repro

# --force: else DVC would look for data that no step has made
plan: $(READY)
	$(set-profile)
	dvc repro --dry --force

test: $(READY)
	python -m pytest

# A copy of the working tree in .smoke/, so that the tiny results never touch the real ones.
smoke: $(READY)
	rm -rf .smoke && mkdir .smoke
	git ls-files --cached --others --exclude-standard | while IFS= read -r f; do \
	  [ ! -e "$$f" ] || { mkdir -p ".smoke/$$(dirname "$$f")" && cp "$$f" ".smoke/$$f"; }; done
	cd .smoke && git init -q && rm -rf dvc.lock results && \
	  sed -i.old 's/^profile: .*/profile: smoke/' params.yaml && dvc repro
	cd .smoke && python -m signclip verify && cat results/tables/{fingerclip,pretraining,beyond}.md

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
