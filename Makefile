# One verb per chore. Each prepares what it needs the first time, and says so; later calls start at once.
# Nothing but make and Python 3.11 or newer has to be there before.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test bench lint clean

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(shell for python in python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# An exact version, and before everything else: a range lets pip take the newest build there is, which for Linux
# comes with gigabytes of CUDA libraries even where a smaller build of this version is at hand. Once it is there,
# the ranges of the other packages are content with it.
TORCH := torch==2.13.0
# Without its requirements: it asks for numpy<2 and for some thirty packages that only its training uses. What its
# network does import is in the extra `dev`.
LAION_CLAP := laion-clap==1.1.7
# What measures of sets of clips are compared with. Without requirements, too: ssr-eval asks for packages of Python 2.
REFERENCE_METRICS := audioldm-eval==0.0.3 ssr-eval==0.0.7

# What Qt's wheel needs of a Linux desktop and does not bring along; ui/__main__.py names them to users.
PANEL_PACKAGES := libegl1 libgl1 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 \
	libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xkb1 fonts-dejavu-core

# What the tests' sounds are rendered with, a sound device that plays into nothing, other people's OSC clients,
# their plug-ins, a compiler for bad ones, a screen that nobody sees, and DAWs that are worked on it.
# Rendering needs no system package, since the wheels bring their libraries; hearing takes needs libportaudio2.
TEST_PACKAGES := fluidsynth fluid-soundfont-gm espeak-ng \
	libportaudio2 libasound2-plugins pulseaudio pulseaudio-utils \
	liblo-tools puredata-core supercollider-language supercollider-server jackd2 \
	g++ zam-plugins xvfb xdotool \
	ardour audacity openbox imagemagick nodejs node-typescript \
	$(PANEL_PACKAGES)

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.ready-to-run  ## change, repair and make sound on an example clip; takes land in out/
	@$(BIN)/daw-bridge demo

# Three processes for two cores: much of the end-to-end tests is waiting. Tests that record what plays have the
# machine to themselves (marker real_time).
test: test-packages $(VENV)/.ready-to-test  ## all checks: unit to end-to-end tests, style, types, import arrows
	@$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)

bench: $(VENV)/.ready-to-test  ## measure speed and memory beside diffusers (minutes, all cores)
	@$(BIN)/python -m pytest tests/bench -p no:randomly --capture=no $(ARGS)

lint: $(VENV)/.ready-to-test  ## style, types and import arrows alone
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports
	@$(BIN)/mypy

clean:  ## forget the environment and all caches; out/, runs/ and models stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.ready-to-run: pyproject.toml | $(VENV)/.has-torch
	@echo "Installing the program and what it runs on (0.6 GB on disk, a minute or two) ..."
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.ready-to-test: pyproject.toml Makefile | $(VENV)/.has-torch
	@echo "Installing the program with the tools that test it (1.1 GB on disk, two to three minutes) ..."
	@$(PIP) install --editable '.[dev]'
	@$(PIP) install --no-deps $(LAION_CLAP) $(REFERENCE_METRICS)
	@touch $(VENV)/.ready-to-run $@

$(VENV)/.has-torch: | $(VENV)/.created
	@echo "Installing $(TORCH) (200 MB to download as a CPU build, a few GB as a CUDA build) ..."
	@$(PIP) install $(TORCH)
	@touch $@

$(VENV)/.created:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer is needed, and neither python3.11 nor python3 is one. Debian 12 and later, and"; \
		echo "Ubuntu 24.04 and later, have it:"; \
		echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends python3 python3-venv"; \
		exit 1; fi
	$(if $(VENV_PACKAGE),$(call install,$(VENV_PACKAGE)))
	@echo "Creating the environment $(VENV) with $$($(PYTHON) --version); nothing outside this folder changes ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# Debian's Python comes without ensurepip, which venv needs; other Pythons have it.
VENV_PACKAGE = $(if $(PYTHON),$(shell $(PYTHON) -c 'import ensurepip' 2>/dev/null \
	|| $(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'))

.PHONY: test-packages
test-packages:
	$(call install,$(if $(wildcard $(VENV)/.created),,$(VENV_PACKAGE)) $(TEST_PACKAGES))

# $(call install,PACKAGES): install the Debian packages that are missing, or stop with the command that does.
define install
	@missing=; \
	if ! command -v dpkg-query >/dev/null; then \
		echo "Not Debian or Ubuntu: if something is missing, it is what Debian has in $(strip $(1))."; exit 0; fi; \
	for package in $(1); do \
		dpkg-query --show --showformat='$${db:Status-Abbrev}' $$package 2>/dev/null | grep -q ^ii \
			|| missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "System packages are missing. Run this, then the same make command again:"; \
		echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$$missing"; exit 1; fi; \
	echo "Installing system packages:$$missing ..."; \
	export DEBIAN_FRONTEND=noninteractive; log=$$(mktemp); \
	{ apt-get update && apt-get install -y --no-install-recommends $$missing; } >$$log 2>&1 \
		&& rm $$log || { cat $$log; rm $$log; exit 1; }
endef
