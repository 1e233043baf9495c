# Every command of the project. `make help` lists them; it reads the comments that begin with two number signs.
# A new pipeline is one more word here, and the package pipelines/<word>.
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
# Tests run in parallel; tests/conftest.py decides how many workers there are and what stays together.
PYTEST := $(PYTHON) -m pytest --numprocesses auto --dist loadfile --max-worker-restart 2

on = $(filter-out 0 no false,$(1))
run_option = $(if $(RUN),--run "$(RUN)")
# In the list of targets, the word PIPELINE of a comment stands for each pipeline.
targets = $(addprefix $(1)-,$(PIPELINES))

# Said before the environment is made, not after: $(call needs,target,variable,what it names,an example).
define needs
ifneq ($(filter $(1),$(MAKECMDGOALS)),)
ifeq ($$(strip $$(value $(2))),)
$$(error There is nothing to work on. Name $(3): make $(1) $(4). Received: $(2)=$$(value $(2)))
endif
endif
endef
$(eval $(call needs,transcribe,AUDIO,the recordings,AUDIO="a.wav b.mp3"))
$(eval $(call needs,forecast,CSV,the table of what came before,CSV=measurements.csv))
ifeq ($(findstring --file,$(ARGS)),)
$(eval $(call needs,classify,TEXT,the text,TEXT="A quiet film that stays with you."))
$(eval $(call needs,judge,TEXT,the text,TEXT="A quiet film that stays with you."))
$(eval $(call needs,tag,TEXT,the text,TEXT="The jury praised the city."))
$(eval $(call needs,translate,TEXT,the sentence,TEXT="In the beginning"))
endif
$(eval $(call needs,predict-video,VIDEO,the video,VIDEO=clip.mp4))

export TF_CPP_MIN_LOG_LEVEL ?= 3
# As they were typed, whatever signs are in them; the variables themselves would be expanded on their way.
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
	@echo "The first command makes the environment, $(VENV), and the first training gets its data."
	@echo "ARGS go to the command as they are, such as ARGS=\"--seed 3\"; presets and all settings are listed by:"
	@$(foreach pipeline,$(PIPELINES),echo "  $(PYTHON) -m pipelines train $(pipeline) --help";)
	@echo "A file name with spaces is quoted twice: make transcribe AUDIO=\"'my recording.wav'\""

## setup: make the environment, .venv (each command below does this itself, once)
setup: $(ENVIRONMENT)

## train-PIPELINE: train, then evaluate [PRESET=name] [ARGS=…] [RESUME=1: go on with a killed run]
$(call targets,train): train-%: $(ENVIRONMENT)
	$(PYTHON) -m pipelines train $(strip $* $(PRESET) $(if $(call on,$(RESUME)),--resume) --evaluate $(ARGS))

## eval-PIPELINE: evaluate the latest run beside the baselines [RUN=folder] [ARGS=…]
$(call targets,eval): eval-%: $(ENVIRONMENT)
	$(PYTHON) -m pipelines evaluate $(strip $* $(run_option) $(ARGS))

## export-PIPELINE: write the latest run as a SavedModel for a server [RUN=folder] [ARGS=…]
$(call targets,export): export-%: $(ENVIRONMENT)
	$(PYTHON) -m pipelines export $(strip $* $(run_option) $(ARGS))

## transcribe: print the words of recordings AUDIO="a.wav b.mp3" [RUN=folder] [ARGS=…]
transcribe: $(ENVIRONMENT)
	$(PYTHON) -m pipelines transcribe $(strip $(AUDIO) $(run_option) $(ARGS))

## forecast: print what comes after a table CSV=measurements.csv [RUN=folder] [ARGS=--anomalies]
forecast: $(ENVIRONMENT)
	$(PYTHON) -m pipelines forecast $(strip $(CSV) $(run_option) $(ARGS))

## classify: print the sentiment of a text TEXT="…", or of ARGS="--file texts.txt" [RUN=folder] [ARGS=…]
## judge: the same, under its name until version 0.2
classify judge: $(ENVIRONMENT)
	$(PYTHON) -m pipelines classify $(strip $(if $(value TEXT),"$$GIVEN_TEXT") $(run_option) $(ARGS))

## generate: go on writing after a few words, or from nothing [PROMPT="In the beginning"] [RUN=folder] [ARGS=…]
generate: $(ENVIRONMENT)
	$(PYTHON) -m pipelines generate $(strip $(if $(value PROMPT),"$$GIVEN_PROMPT") $(run_option) $(ARGS))

## tag: print the words of a text with their tags TEXT="…", or of ARGS="--file texts.txt" [RUN=folder] [ARGS=…]
tag: $(ENVIRONMENT)
	$(PYTHON) -m pipelines tag $(strip $(if $(value TEXT),"$$GIVEN_TEXT") $(run_option) $(ARGS))

## translate: print the translation of a sentence TEXT="…", or of ARGS="--file sentences.txt" [RUN=folder] [ARGS=…]
translate: $(ENVIRONMENT)
	$(PYTHON) -m pipelines translate $(strip $(if $(value TEXT),"$$GIVEN_TEXT") $(run_option) $(ARGS))

## predict-video: write the frames that come next, or print what a clip, a camera (0) or a stream (rtsp://…) shows VIDEO=clip.mp4 [RUN=folder] [ARGS=…]
predict-video: $(ENVIRONMENT)
	$(PYTHON) -m pipelines predict-video $(strip $(VIDEO) $(run_option) $(ARGS))

## serve: answer requests for every export of the folder exports, over HTTP [ARGS="--port 8501"]
serve: $(ENVIRONMENT)
	$(PYTHON) -m pipelines serve $(ARGS)

## bench: time the layers beside Keras and, where installed, PyTorch [ARGS=--quick: a few minutes]
bench: $(ENVIRONMENT)
	$(PYTHON) -m benchmarks.speed $(ARGS)

## gradient-flow: write a page that shows how gradients vanish and what gates change, in 15 minutes [ARGS=--quick]
gradient-flow: $(ENVIRONMENT)
	$(PYTHON) -m benchmarks.gradient_flow $(ARGS)

## docs: make the reference pages of models, docs/_build/index.html
docs: $(ENVIRONMENT)
	$(PYTHON) -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build
	@echo "The reference pages: docs/_build/index.html"

## test: run the tests that take a few minutes [SLOW=1: all] [ARGS="tests/models -k loss"]
test: $(ENVIRONMENT)
	$(PYTEST) $(if $(call on,$(SLOW)),,-m "not slow") $(ARGS)

## test-all: run all tests, the slow ones as well [ARGS=…]
test-all: $(ENVIRONMENT)
	$(PYTEST) $(ARGS)

## lint: check style, format and types
lint: $(ENVIRONMENT)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

## format: write the format that lint asks for
format: $(ENVIRONMENT)
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

## clean: remove the environment and the tools' caches; runs, exports and downloaded data stay
clean:
	rm -rf $(VENV) .venv.lock .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made once, and again when the dependencies change. Two makes that start together must not install into each other:
# one holds the lock, the other waits and then finds the work done (-nt compares the files' times). The mark is set
# last, so that an interrupted installation is taken up again.
$(ENVIRONMENT): setup.cfg pyproject.toml
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed. On Debian 12 or newer: apt-get install python3 python3-venv." \
			"Or name another Python: make setup PYTHON3=/path/to/python3.12. Received: $(PYTHON3)" >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "This Python cannot make environments. On Debian: apt-get install python3-venv, then type the command" \
			"again. Received: $(PYTHON3)" >&2; exit 1; }
	@exec 9> .venv.lock; \
	if command -v flock > /dev/null; then \
		flock --nonblock 9 || { echo "Another make is making $(VENV); waiting for it."; flock 9; }; \
	fi; \
	if [ $@ -nt setup.cfg ] && [ $@ -nt pyproject.toml ]; then exit 0; fi; \
	echo "Making the environment, $(VENV): about 1 GB to download and 3.3 GB on disk, some minutes."; \
	$(PYTHON3) -m venv $(VENV) && \
	$(PYTHON) -m pip install --disable-pip-version-check --editable '.[all,test,lint,docs,peers]' && \
	touch $@
