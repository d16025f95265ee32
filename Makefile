# `make` sets everything up and runs the default; `make help` lists the rest.
PYTHON ?= python3
VENV   ?= .venv
CORES  ?= all
CONFIG ?=

export PATH := $(abspath $(VENV))/bin:$(PATH)
# Names of files of settings, divided by spaces. The shell splits them and does nothing else with them.
export CONFIG
WITH_CONFIG = set -f; set -- $${CONFIG:+--configfile $$CONFIG}
SNAKEMAKE = snakemake --cores $(CORES)
# A command that begins with this has the folder of the results in the variable `results`.
FIND_RESULTS = $(WITH_CONFIG); results="$$(python -m partimento settings results "$$@")"

.DEFAULT_GOAL := all
.PHONY: all run verify report setup setup-dev system browser test test-faults test-cluster test-image slurm image-tools lint site gallery bench lock clean help

all: run ## set up, run, and print the best numbers (CONFIG=config/nottingham.yaml for another run)
	@echo; $(FIND_RESULTS); python -m partimento summary --results="$$results"

# What is corrupt is set aside first, so that the run makes it again.
run: setup ## run the workflow
	@$(WITH_CONFIG); python -m partimento verify --repair "$$@" && $(SNAKEMAKE) "$$@"

verify: setup ## look for corrupt and truncated results and downloads, and change nothing
	@$(WITH_CONFIG); python -m partimento verify "$$@"

report: setup ## rewrite the page on a finished run
	@$(FIND_RESULTS); python -m partimento report --results="$$results"

test: setup-dev browser ## run the tests
	@pytest

test-faults: setup-dev ## kill jobs, fill the disk, truncate files (15 to 40 minutes)
	@pytest -m faults

test-cluster: setup-dev slurm ## run the default on a Slurm of one node (root, 30 to 70 minutes)
	@pytest -s -m cluster

test-image: setup-dev image-tools ## build the image and run it (root, 10 GB of disk, some 15 minutes)
	@pytest -s -m image

lint: setup-dev ## check style and types, of Python and of the workflow
	@ruff check .
	@ruff format --check .
	@mypy
	@snakefmt --check Snakefile rules workflow
	@snakemake --lint
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

site: setup-dev ## build the site of docs/ into site/
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict

gallery: setup ## write pages of some pieces and the report into gallery/, for any web server
	@$(FIND_RESULTS); python -m partimento gallery --results="$$results" --out gallery

bench: setup-dev ## measure speed, side by side with peers
	@for script in benchmarks/*.py; do \
	    echo "== $$script"; python -m benchmarks.$$(basename $$script .py) || exit 1; \
	done

lock: setup-dev ## rewrite requirements.lock, the exact versions of all packages
	@python envs/lock.py

clean: ## delete all results and caches; .venv and downloads stay
	rm -rf results .snakemake .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 10

# --- set-up: what the system must give, then a virtual environment, each once ---------------
setup: system $(VENV)/.installed ## make the virtual environment
setup-dev: system $(VENV)/.installed-dev ## the same, with what the tests need

FIND_FLUIDSYNTH = import ctypes.util, sys; sys.exit(not ctypes.util.find_library("fluidsynth"))
NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
VERSION = import sys; print("%d.%d" % sys.version_info[:2])

# $(call apt,PACKAGES): install them where we are root or may become it without a password.
apt = command -v apt-get >/dev/null && { \
	if [ "$$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi; \
	$$as_root true 2>/dev/null && $$as_root apt-get -qq update && \
	$$as_root env DEBIAN_FRONTEND=noninteractive \
	    apt-get -qq install -y --no-install-recommends $(1); }

system:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "'$(PYTHON)' is not a command; say which Python: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { \
	    echo "$(PYTHON) is Python $$($(PYTHON) -c '$(VERSION)'), but 3.11 or newer is needed;" \
	    "name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(FIND_FLUIDSYNTH)' || { echo "Installing FluidSynth's library."; \
	    $(call apt,libfluidsynth3); $(PYTHON) -c '$(FIND_FLUIDSYNTH)'; } || { \
	    echo "FluidSynth's library is missing. Debian, Ubuntu: sudo apt-get install libfluidsynth3;" \
	    "Fedora: sudo dnf install fluidsynth-libs; macOS: brew install fluid-synth" >&2; exit 1; }
	@[ "$$(uname)" != Linux ] || command -v bwrap >/dev/null || { \
	    echo "Installing bubblewrap, which confines LilyPond."; $(call apt,bubblewrap); } || \
	    echo "bubblewrap is missing: scores will run unconfined. Debian, Ubuntu: sudo apt-get" \
	    "install bubblewrap; Fedora: sudo dnf install bubblewrap" >&2
	@command -v ffmpeg >/dev/null || { \
	    echo "Installing ffmpeg, which writes videos and reads recordings in more formats."; \
	    $(call apt,ffmpeg); command -v ffmpeg >/dev/null; } || \
	    echo "ffmpeg is missing: no videos, and fewer formats of recordings. Debian, Ubuntu: sudo" \
	    "apt-get install ffmpeg; Fedora: sudo dnf install ffmpeg; macOS: brew install ffmpeg" >&2

HAS_BROWSER = command -v chromium >/dev/null && command -v chromedriver >/dev/null

# What the tests of the page need; where it cannot be had they fail and say so.
browser: | system
	@{ $(HAS_BROWSER); } || { \
	    echo "Installing Chromium, in which the tests look at a page."; \
	    $(call apt,chromium chromium-driver); $(HAS_BROWSER); } || \
	    echo "Chromium and its driver are missing: the tests of the page will fail. Debian:" \
	    "sudo apt-get install chromium chromium-driver" >&2

HAS_SLURM = command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null

# What the tests of a cluster need; where it cannot be had they fail and say so.
slurm: | system
	@{ $(HAS_SLURM); } || { echo "Installing Slurm, on which the tests run the workflow."; \
	    $(call apt,slurmctld slurmd slurm-client munge); $(HAS_SLURM); } || \
	    echo "Slurm is missing: the tests of the cluster will fail. Debian, Ubuntu:" \
	    "sudo apt-get install slurmctld slurmd slurm-client munge" >&2
	@python -m pip install --disable-pip-version-check -q -r requirements-cluster.txt -c requirements.lock

HAS_BUILDAH = command -v buildah >/dev/null && command -v mmdebstrap >/dev/null

# What the tests of the image need; where it cannot be had they fail and say so.
image-tools: | system
	@{ $(HAS_BUILDAH); } || { echo "Installing buildah, by which the tests build the image."; \
	    $(call apt,buildah mmdebstrap); $(HAS_BUILDAH); } || \
	    echo "buildah or mmdebstrap is missing: the tests of the image will fail. Debian, Ubuntu:" \
	    "sudo apt-get install buildah mmdebstrap" >&2

$(VENV)/.created: | system
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { $(call apt,python$$($(PYTHON) -c '$(VERSION)')-venv); } || { \
	    echo "Python's venv module is missing. Debian, Ubuntu:" \
	    "sudo apt-get install python$$($(PYTHON) -c '$(VERSION)')-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: requirements.txt requirements-no-deps.txt requirements.lock pyproject.toml $(VENV)/.created
	python -m pip install --disable-pip-version-check -q -e . -c requirements.lock
	python -m pip install --disable-pip-version-check -q --no-deps -r requirements-no-deps.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	python -m pip install --disable-pip-version-check -q -r requirements-dev.txt -c requirements.lock
	@touch $@
