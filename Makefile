# Two commands: `make repro` (set up, then the whole experiment) and `make test` (set up, then the tests).
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check --no-deps --no-compile

.PHONY: setup repro test bench lint mlflow lock clean
.DEFAULT_GOAL := repro

setup: $(READY)

# Every wheel is pinned by hash. sam2 has no wheel: it is built against the pinned torch, without its CUDA extension.
$(READY): requirements/main.lock requirements/sam2.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed. Set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --progress-bar on -r requirements/main.lock
	SAM2_BUILD_CUDA=0 $(PIP) --require-hashes --no-build-isolation -r requirements/sam2.lock
	$(PIP) --no-build-isolation --editable .
	@touch $(READY)

repro: setup
	dvc repro
	@echo "done: open reports/index.html"

test: setup
	pytest

# What everything costs: docs/benchmarks.md.
bench: setup
	python -m benchmarks

lint: setup
	ruff check . && ruff format --check . && mypy

mlflow: setup
	uncertsam track send || true
	mlflow ui --backend-store-uri sqlite:///mlflow.db

# For maintainers: new pins (needs uv).
lock:
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-package sam2 -o requirements/main.lock
	# The page's own: as in main.lock, but for the two that Gradio wants older; for an environment beside the main one.
	grep -E '^[A-Za-z0-9_.-]+==' requirements/main.lock | grep -vE '^(pillow|tomlkit)==' | sed 's/ *\\$$//' > .demo.pins
	uv pip compile requirements/demo.in -c .demo.pins --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --no-annotate -o requirements/demo.lock
	rm .demo.pins

clean:
	rm -rf $(VENV) data/raw data/benchmark data/embeddings data/fitted data/predictions data/measures .dvc/cache .tracking
