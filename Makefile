# Two commands on a fresh machine: `make run` and `make test`. Everything else is for those who work here.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2
SYSTEM_PACKAGES := dcmtk dicom3tools libgdcm-tools openssl orthanc orthanc-python orthanc-webviewer stunnel4 chromium docker-compose
JUDGES := /usr/bin/storescu /usr/bin/dciodvfy /usr/bin/gdcmscu /usr/bin/openssl /usr/sbin/Orthanc /usr/share/orthanc/plugins/libOrthancPython.so /usr/share/orthanc/plugins/libOrthancWebViewer.so /usr/bin/stunnel4 /usr/bin/chromium /usr/bin/docker-compose

.PHONY: help
help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/.complete: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

.PHONY: venv
venv: .venv/.complete  ## the environment, in .venv

.PHONY: run
run: venv  ## a node with a synthetic archive, asked once, then left running
	$(BIN)/likeness demo --folder run

.PHONY: system
system:  # the outside judges and clients of the tests; installed where we may
	@if ! ls $(JUDGES) >/dev/null 2>&1; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then .ci/system-packages $(SYSTEM_PACKAGES); \
	    else echo "left out: tests with outside programs (install: $(SYSTEM_PACKAGES))"; fi; \
	fi

.PHONY: lint
lint: venv  ## style, types and the arrows between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test
test: venv system lint  ## everything that takes minutes
	$(BIN)/python -m pytest -m 'not long' --durations=25 -n $(WORKERS) --dist loadfile tests/end_to_end tests/dicom_node/test_cli.py tests

.PHONY: test-long
test-long: venv system  ## what takes long: kill tests, 20,000 mutated files
	$(BIN)/python -m pytest -m long

.PHONY: bench
bench: venv system  ## the figures of docs/benchmarks.md
	$(BIN)/python -m benchmarks.baseline_quality --data ../shared/data
	$(BIN)/python -m benchmarks.baseline_lossy --data ../shared/data
	$(BIN)/python -m benchmarks.abstention --data ../shared/data
	$(BIN)/python -m benchmarks.polarity --data ../shared/data
	$(BIN)/python -m benchmarks.damaged_streams --data ../shared/data 2>/dev/null
	$(BIN)/python -m benchmarks.pixels_series
	$(BIN)/python -m benchmarks.pixels_single --data ../shared/data 2>/dev/null
	$(BIN)/python -m benchmarks.time_to_report
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.receiving
	$(BIN)/python -m benchmarks.time_to_searchable
	$(BIN)/python -m benchmarks.misfortunes
	$(BIN)/python -m benchmarks.kills
	$(BIN)/python -m benchmarks.delivery_kills
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.orthanc_burst
	$(BIN)/python -m benchmarks.pipeline_over_bare --threads 2 --device cpu --images 128 --turns 7
	$(BIN)/python -m benchmarks.worker_memory
	$(BIN)/python -m benchmarks.encoder_speed --threads 2
	$(BIN)/python -m benchmarks.index_engines --data ../shared/data
	$(BIN)/python -m benchmarks.index_engines --count 10000 100000 --dimension 512 768
	$(BIN)/python -m benchmarks.index_restart
	$(BIN)/python -m benchmarks.communities --data ../shared/data
	$(BIN)/python -m benchmarks.late_interaction
	$(BIN)/python -m benchmarks.volume_quality
	$(BIN)/python -m benchmarks.interval_coverage
	$(BIN)/python -m benchmarks.evaluation_cost
	$(BIN)/python -m benchmarks.example_report

.PHONY: clean
clean:  ## removes the environment and the demo's folder
	rm -rf .venv run
