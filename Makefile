# Two commands: `make repro` (set up, then the whole experiment) and `make test` (set up, then the tests).
PYTHON ?= python3
VENV := .venv
PAGE := .venv-demo
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
unexport PYTHONDONTWRITEBYTECODE  # images set it; every stage would compile torch and pandas again, for seconds each
# OpenMP's waiting threads sleep instead of spinning, which starves everyone else; what the environment says stays.
ifeq ($(origin OMP_WAIT_POLICY)$(origin GOMP_SPINCOUNT),undefinedundefined)
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 0
endif
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check --no-deps --no-compile

.PHONY: setup repro test demo bench lint mlflow lock clean
.DEFAULT_GOAL := repro

setup: $(READY)

# Every wheel is pinned by hash. sam2 has no wheel: it is built against the pinned torch, without its CUDA extension.
$(READY): requirements/main.lock requirements/sam2.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed. Set PYTHON=...")'
	"$(PYTHON)" -m venv $(VENV)
	$(PIP) --require-hashes --progress-bar on -r requirements/main.lock
	SAM2_BUILD_CUDA=0 $(PIP) --require-hashes --no-build-isolation -r requirements/sam2.lock
	$(PIP) --no-build-isolation --editable .
	@touch $(READY)

repro: setup
	dvc repro
	@echo "done: open reports/index.html"

# A process per core; then the page, in an environment of its own. Both run, whatever the first one says, and the exit
# code is 0 where both pass. JUNIT: a folder for both runs' results.
test: setup
	@tests=0; page=0; \
	pytest -n auto --dist loadfile --ignore tests/app/demo/test_demo_page.py $(if $(JUNIT),--junitxml="$(JUNIT)/tests.xml") \
		|| tests=$$?; \
	{ $(MAKE) --silent --no-print-directory $(PAGE)/.ready && \
		$(PAGE)/bin/python -m pytest tests/app/demo/test_demo_page.py $(if $(JUNIT),--junitxml="$(JUNIT)/page.xml"); } \
		|| page=$$?; \
	echo "exit codes (0: all passed): tests $$tests, the page's tests $$page"; \
	test "$$tests $$page" = "0 0"

demo: $(PAGE)/.ready
	$(PAGE)/bin/uncertsam demo

# What the page needs comes before what everything else needs: Gradio wants an older Pillow than the numbers are made with.
# The command is a shell script that becomes Python: after `#!` no path may hold a space.
$(PAGE)/.ready: $(READY) requirements/demo.lock
	"$(PYTHON)" -m venv $(PAGE)
	$(PAGE)/bin/python -m pip install --disable-pip-version-check --no-deps --no-compile --require-hashes \
		--progress-bar on -r requirements/demo.lock
	$(VENV)/bin/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> "$$($(PAGE)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/main.pth"
	printf '#!%s\n%s\n%s\n' /bin/sh "'''exec' \"\$$(dirname \"\$$0\")/python\" \"\$$0\" \"\$$@\" #'''" 'from uncertsam.cli import main; main()' > $(PAGE)/bin/uncertsam
	chmod +x $(PAGE)/bin/uncertsam
	@touch $@

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
	uv pip compile pyproject.toml --extra pipeline --extra test --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-package sam2 -o requirements/main.lock
	# The page's own: as in main.lock, but for the two that Gradio wants older; for an environment beside the main one.
	grep -E '^[A-Za-z0-9_.-]+==' requirements/main.lock | grep -vE '^(pillow|tomlkit)==' | sed 's/ *\\$$//' > .demo.pins
	uv pip compile requirements/demo.in -c .demo.pins --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --no-annotate -o requirements/demo.lock
	rm .demo.pins

clean:
	rm -rf $(VENV) $(PAGE) data/raw data/benchmark data/models data/embeddings data/fitted data/predictions data/measures data/refined data/tokens .dvc/cache .tracking
