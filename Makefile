# All commands of the project. `make help` lists them, from the comments that begin with ##.
# To add a pipeline, add its name here and the package pipelines/<name>.
PIPELINES := speech series nlp video

PRESET ?=
ARGS ?=
RESUME ?=
RUN ?=
AUDIO ?=
CSV ?=
PROMPT ?=
TEXT ?=
VIDEO ?=
SLOW ?=
PYTHON3 ?= python3

VENV := .venv
PYTHON := $(VENV)/bin/python
ENVIRONMENT := $(VENV)/.complete
# Tests run in parallel. tests/conftest.py chooses the number of workers, and which tests share one.
PYTEST := $(PYTHON) -m pytest --numprocesses auto --dist loadfile --max-worker-restart 2

on = $(filter-out 0 no false,$(1))
run_option = $(if $(RUN),--run "$(RUN)")
# In the comments of targets, PIPELINE stands for each pipeline.
targets = $(addprefix $(1)-,$(PIPELINES))

# Reported before the environment is created: $(call needs,target,variable,what it names,an example).
define needs
ifneq ($(filter $(1),$(MAKECMDGOALS)),)
ifeq ($$(strip $$(value $(2))),)
$$(error No input. Pass $(3): make $(1) $(4). Received: $(2)=$$(value $(2)))
endif
endif
endef
$(eval $(call needs,transcribe,AUDIO,the recordings,AUDIO="a.wav b.mp3"))
$(eval $(call needs,forecast,CSV,the table,CSV=measurements.csv))
ifeq ($(findstring --file,$(ARGS)),)
$(eval $(call needs,classify,TEXT,the text,TEXT="A quiet film that stays with you."))
$(eval $(call needs,judge,TEXT,the text,TEXT="A quiet film that stays with you."))
$(eval $(call needs,tag,TEXT,the text,TEXT="The jury praised the city."))
$(eval $(call needs,translate,TEXT,the sentence,TEXT="In the beginning"))
endif
$(eval $(call needs,predict-video,VIDEO,the video,VIDEO=clip.mp4))

export TF_CPP_MIN_LOG_LEVEL ?= 3
# Passed exactly as typed, with any characters; make would expand the variables themselves.
export GIVEN_PROMPT := $(value PROMPT)
export GIVEN_TEXT := $(value TEXT)
unexport PROMPT TEXT

.DEFAULT_GOAL := help
.PHONY: help setup transcribe forecast classify judge generate tag translate predict-video serve bench gradient-flow docs test test-all lint format clean \
	$(call targets,train) $(call targets,eval) $(call targets,export)

## help: list the commands
help:
	@echo "Usage: make COMMAND [VARIABLE=value]"
	@echo
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST)) | awk -v pipelines="$(PIPELINES)" ' \
		function show(line) { at = index(line, ": "); printf "  %-16s %s\n", substr(line, 1, at - 1), substr(line, at + 2) } \
		/PIPELINE/ { count = split(pipelines, names, " "); \
			for (i = 1; i <= count; i++) { line = $$0; gsub(/PIPELINE/, names[i], line); show(line) } next } \
		{ show($$0) }'
	@echo
	@echo "The first command creates the environment, $(VENV). The first training downloads its data."
	@echo "ARGS are passed on unchanged, such as ARGS=\"--seed 3\". These commands list the presets and settings:"
	@$(foreach pipeline,$(PIPELINES),echo "  $(PYTHON) -m pipelines train $(pipeline) --help";)
	@echo "Quote file names with spaces twice: make transcribe AUDIO=\"'my recording.wav'\""

## setup: create the environment, .venv (other commands do this when needed)
setup: $(ENVIRONMENT)

## train-PIPELINE: train, then evaluate [PRESET=name] [ARGS=…] [RESUME=1: continue an interrupted run]
$(call targets,train): train-%: $(ENVIRONMENT)
	$(PYTHON) -m pipelines train $(strip $* $(PRESET) $(if $(call on,$(RESUME)),--resume) --evaluate $(ARGS))

## eval-PIPELINE: evaluate the latest run and compare it with the baselines [RUN=folder] [ARGS=…]
$(call targets,eval): eval-%: $(ENVIRONMENT)
	$(PYTHON) -m pipelines evaluate $(strip $* $(run_option) $(ARGS))

## export-PIPELINE: export the latest run as a SavedModel [RUN=folder] [ARGS=…]
$(call targets,export): export-%: $(ENVIRONMENT)
	$(PYTHON) -m pipelines export $(strip $* $(run_option) $(ARGS))

## transcribe: transcribe recordings AUDIO="a.wav b.mp3" [RUN=folder] [ARGS=…]
transcribe: $(ENVIRONMENT)
	$(PYTHON) -m pipelines transcribe $(strip $(AUDIO) $(run_option) $(ARGS))

## forecast: forecast the next values of a table CSV=measurements.csv [RUN=folder] [ARGS=--anomalies]
forecast: $(ENVIRONMENT)
	$(PYTHON) -m pipelines forecast $(strip $(CSV) $(run_option) $(ARGS))

## classify: classify the sentiment of a text TEXT="…" or of a file ARGS="--file texts.txt" [RUN=folder] [ARGS=…]
## judge: old name of classify
classify judge: $(ENVIRONMENT)
	$(PYTHON) -m pipelines classify $(strip $(if $(value TEXT),"$$GIVEN_TEXT") $(run_option) $(ARGS))

## generate: generate text, after a prompt if there is one [PROMPT="In the beginning"] [RUN=folder] [ARGS=…]
generate: $(ENVIRONMENT)
	$(PYTHON) -m pipelines generate $(strip $(if $(value PROMPT),"$$GIVEN_PROMPT") $(run_option) $(ARGS))

## tag: tag the words of a text TEXT="…" or of a file ARGS="--file texts.txt" [RUN=folder] [ARGS=…]
tag: $(ENVIRONMENT)
	$(PYTHON) -m pipelines tag $(strip $(if $(value TEXT),"$$GIVEN_TEXT") $(run_option) $(ARGS))

## translate: translate a text TEXT="…" or a file ARGS="--file sentences.txt" [RUN=folder] [ARGS=…]
translate: $(ENVIRONMENT)
	$(PYTHON) -m pipelines translate $(strip $(if $(value TEXT),"$$GIVEN_TEXT") $(run_option) $(ARGS))

## predict-video: forecast the next frames of a video, or classify a clip, a camera (0) or a stream (rtsp://…) VIDEO=clip.mp4 [RUN=folder] [ARGS=…]
predict-video: $(ENVIRONMENT)
	$(PYTHON) -m pipelines predict-video $(strip $(VIDEO) $(run_option) $(ARGS))

## serve: serve all exports over HTTP [ARGS="--port 8501"]
serve: $(ENVIRONMENT)
	$(PYTHON) -m pipelines serve $(ARGS)

## bench: compare the speed of the layers with Keras and, if installed, PyTorch [ARGS=--quick: a few minutes]
bench: $(ENVIRONMENT)
	$(PYTHON) -m benchmarks.speed $(ARGS)

## gradient-flow: write a page on vanishing gradients with and without gates, in 15 minutes [ARGS=--quick]
gradient-flow: $(ENVIRONMENT)
	$(PYTHON) -m benchmarks.gradient_flow $(ARGS)

## docs: build the documentation, docs/_build/index.html
docs: $(ENVIRONMENT)
	$(PYTHON) -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build
	@echo "The documentation: docs/_build/index.html"

## test: run the quick tests [SLOW=1: all] [ARGS="tests/models -k loss"]
test: $(ENVIRONMENT)
	$(PYTEST) $(if $(call on,$(SLOW)),,-m "not slow") $(ARGS)

## test-all: run all tests, including the slow ones [ARGS=…]
test-all: $(ENVIRONMENT)
	$(PYTEST) $(ARGS)

## lint: check style, format and types
lint: $(ENVIRONMENT)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

## format: format the code, and fix what lint can fix
format: $(ENVIRONMENT)
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

## clean: remove the environment and tool caches, but no runs, exports or downloaded data
clean:
	rm -rf $(VENV) .venv.lock .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Created once, and again when the dependencies change. Of two makes that start together, one holds the lock and installs;
# the other waits, and then finds the environment up to date (-nt compares modification times). The marker file is
# touched last, so that an interrupted installation is repeated. The pip that comes with an older Python takes half as long
# again; without a newer one it works as well.
$(ENVIRONMENT): setup.cfg pyproject.toml
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed. On Debian 12 or newer: apt-get install python3 python3-venv." \
			"Or name another Python: make setup PYTHON3=/path/to/python3.12. Received: $(PYTHON3)" >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "This Python cannot create environments. On Debian: apt-get install python3-venv, then repeat the" \
			"command. Received: $(PYTHON3)" >&2; exit 1; }
	@exec 9> .venv.lock; \
	if command -v flock > /dev/null; then \
		flock --nonblock 9 || { echo "Another make is creating $(VENV); waiting for it."; flock 9; }; \
	fi; \
	if [ $@ -nt setup.cfg ] && [ $@ -nt pyproject.toml ]; then exit 0; fi; \
	echo "Creating the environment, $(VENV): a 1 GB download, 3.3 GB on disk, a few minutes."; \
	$(PYTHON3) -m venv $(VENV) && \
	{ $(PYTHON) -m pip install --disable-pip-version-check --quiet --upgrade pip || true; } && \
	$(PYTHON) -m pip install --disable-pip-version-check --editable '.[all,test,lint,docs,peers]' && \
	touch $@
