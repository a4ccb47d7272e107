# make repro   everything on the embedded corpus: tables, figures, leaderboard in results/
#              (PROFILE=paper: the published recipe; it is written into params.yaml)
#              (CORPORA=open: also on corpora that it downloads, which are written into params.yaml)
# make full    more seeds, and every row on every split, with the tables (many hours; resumes)
# make plan    every step of `make repro` and its order; runs nothing, needs no data
# make test    the tests, without those that are marked slow (TESTS=all: with them, as in CI)
# make smoke   the whole pipeline, tiny
# make soak    what is too long for `make test`: 50,000 damaged inputs of every reader, 2,000 requests, kills of
#              every stage, full disks, other users (parts of it need root, or `pip install atheris`)
# make leaderboard   the page that compares all encoders, from results (seconds)
# make lint    ruff, mypy and the repository's own rules
# make setup   only the environment (every target makes it first)
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# one environment: what a user has installed elsewhere must not leak in
unexport PYTHONPATH PYTHONHOME
# paths are UTF-8 in every locale: DVC fails in a checkout whose path is not text in the locale's encoding
export PYTHONUTF8 := 1

.PHONY: repro full plan test smoke soak leaderboard lint setup clean
.DEFAULT_GOAL := repro

# `dvc repro` takes no parameters on its command line; `dvc exp run -S profile=paper` is its way
set-profile = $(if $(PROFILE),sed -i.old 's/^profile: .*/profile: $(PROFILE)/' params.yaml && rm params.yaml.old)
# before anything else: without a connection it ends in one line and has changed nothing
fetch-corpora = $(if $(CORPORA),@$(if $(filter open,$(CORPORA)),python -m benchmarks open-corpora $(1),\
	echo "CORPORA=$(CORPORA): the only such set is open" >&2; exit 2))
# DVC names the stage that it is at; this adds of how many. The loop outlives Ctrl-C, so that DVC's
# last words are shown; the status is DVC's. Unbuffered, or a name would come after its stage.
dvc-repro = set -o pipefail; all=$$(dvc stage list --name-only | wc -l); \
	PYTHONUNBUFFERED=1 dvc repro | (trap '' INT; \
	while IFS= read -r line; do \
	  case $$line in \
	    "Running stage "* | "Stage "*"didn't change"* | "Stage "*"is cached"*) \
	      line="stage $$((++at)) of $$all: $$line";; \
	  esac; \
	  printf '%s\n' "$$line"; \
	done)

# The page is tracked, and results of commands typed by hand are not.
board = python -m benchmarks leaderboard --without local

repro: $(READY)
	$(call fetch-corpora)
	$(set-profile)
	@python -m benchmarks check-params
	@$(dvc-repro)
	@echo && cat results/tables/fingerclip.md
	@echo && echo "all tables and figures, with verdicts: results/report/index.html"
	@echo "all encoders:" && $(board)

# The group `full`: two more seeds of the rows that the pipeline trains, measured together with its
# own, and one seed of the other rows on the other splits. It trains into runs/full; finished runs are
# kept, so it resumes after a break. The results of a step are there before the next step begins.
full: repro
	set -e; value() { sed -n "s/^$$1: \([a-z0-9]*\).*/\1/p" params.yaml; }; \
	profile=$$(value profile); seed=$$(value seed); \
	train="python -m benchmarks train --runs runs/full --profile $$profile --jobs $$(value jobs)"; \
	evaluate="python -m benchmarks evaluate --publish --group full --profile $$profile"; \
	protocols="$${evaluate/evaluate/protocols}"; \
	more="--seed $$((seed + 1)) --seed $$((seed + 2))"; all="--seed $$seed $$more"; \
	folds="--split letters --split unseen_language"; \
	$$train everywhere --split letters $$more; \
	$$train everywhere --split unseen_language $$all; \
	$$evaluate everywhere floors $$folds $$all; \
	$$protocols X --split unseen_language --seed $$seed; \
	$$train E7.2 best --split in_domain $$more; \
	$$train beyond --without best --split in_domain $$all; \
	$$evaluate E7.2 beyond floors --split in_domain $$all; \
	$$train pretraining beyond --without everywhere $$folds --seed $$seed; \
	$$evaluate pretraining tested beyond --without everywhere $$folds --seed $$seed
	@$(dvc-repro)
	@$(board)

# --force: otherwise DVC looks for data that no step has made. A plan changes nothing: the profile is
# put back.
plan: $(READY)
	set -e; kept=$$(mktemp); cp params.yaml $$kept; \
	trap 'cp $$kept params.yaml; rm $$kept' EXIT; \
	$(if $(PROFILE),$(set-profile);) \
	$(if $(CORPORA),$(patsubst @%,%,$(call fetch-corpora,--register-only));) \
	dvc repro --dry --force

test: $(READY)
ifeq ($(TESTS),all)
	python -m pytest
else ifeq ($(TESTS),)
	@rm -f .coverage.txt
	@# counts lines that run in pytest's own processes; it cannot count functions that Ray sends away
	@python -m slipcover --source baselines,benchmarks,signclip --skip-covered --out .coverage.txt \
	  -m pytest -m 'not slow'; status=$$?; \
	[ ! -f .coverage.txt ] || \
	  awk '$$1 == "(summary)" {print $$2 " lines, " $$4 " % run by these tests; the others: .coverage.txt"}' \
	    .coverage.txt; \
	exit $$status
else
	@echo "TESTS=$(TESTS): give TESTS=all, or nothing for those that are not slow" >&2; exit 2
endif

# A copy of the working tree in .smoke/, so that the tiny results never touch the real ones. One thread
# a process: on tiny matrices several threads take ten times as long.
smoke: export OMP_NUM_THREADS = 1
smoke: export OPENBLAS_NUM_THREADS = 1
smoke: $(READY)
	rm -rf .smoke && mkdir .smoke
	git ls-files -z --cached --others --exclude-standard | python -c "import os, shutil, sys; \
	  [(os.makedirs(os.path.dirname('.smoke/' + f), exist_ok=True), shutil.copy(f, '.smoke/' + f)) \
	   for f in sys.stdin.read().split('\0') if os.path.isfile(f)]"
	cd .smoke && git init -q && rm -rf dvc.lock results && mkdir -p results/leaderboard && \
	  sed -i.old -e 's/^profile: .*/profile: smoke/' -e 's/^corpora:.*/corpora: {}/' params.yaml && \
	  sed -i.old '/^corpora:/,/^[a-z#]/{/^  /d}' params.yaml && $(dvc-repro)
	cd .smoke && python -m signclip verify && cat results/tables/{fingerclip,claims}.md

soak: $(READY)
	python -m tests.soak.fuzz
	python -m tests.soak.serve
	python -m tests.soak.interruptions
	python -m tests.soak.guided

leaderboard: $(READY)
	python -m benchmarks leaderboard

lint: $(READY)
	ruff check . && ruff format --check .
	mypy signclip
	python .ci/lint.py

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Python 3.11 is needed and '$(PYTHON)' is not there; try: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed, this is " + sys.version)'
	[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	@echo "installing the pinned packages into $(VENV), once: 2 to 4 minutes"
	@python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@python -c 'import cv2' || { \
	  echo "OpenCV needs system libraries; on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0"; exit 1; }
	touch $(READY)

clean:
	rm -rf .smoke data embeddings features poses runs predictions
