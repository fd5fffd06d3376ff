# A newcomer's words for what CMake, ctest and the scripts in tools/ do. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help explain compare build bench tests test torch conformance targets check sanitize fuzz oldest neon pictures mutate clean

JOBS ?= $(shell nproc)
RELEASE := build/release
# The tests of what runs in parallel.
PARALLEL := core_test tensor_test autograd_test text_test attention_test c_test c_door_c c_door_cc
# Warnings are errors where nobody watches.
WERROR := -DCMAKE_COMPILE_WARNING_AS_ERROR=$(if $(CI),ON,OFF)

# Sanitizers look for llvm-symbolizer by its plain name.
sanitize fuzz: export PATH := $(PATH):/usr/lib/llvm-19/bin

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

explain:  ## build the command if needed and explain the worked example
	@tools/setup explain
	@[ -f $(RELEASE)/build.ninja ] || cmake --preset release -DFOVEAL_TEXT=OFF >&2
	@cmake --build $(RELEASE) --target foveal_command -j $(JOBS) >&2
	@$(RELEASE)/foveal explain

compare:  ## nine ways to multi-head attention side by side (WITH=torch: PyTorch's beside them)
	@tools/setup explain $(WITH)
	@[ -f $(RELEASE)/build.ninja ] || cmake --preset release -DFOVEAL_TEXT=OFF >&2
	@cmake --build $(RELEASE) --target foveal_command -j $(JOBS) >&2
	@$(RELEASE)/foveal compare $(if $(WITH),--with $(WITH) --python build/$(WITH)/bin/python)

build:  ## build the libraries and the command (build/release/foveal)
	@tools/setup build
	cmake --preset release -DFOVEAL_TEXT=ON $(WERROR)
	cmake --build $(RELEASE) --target foveal_command foveal_text -j $(JOBS)

bench: build  ## measure speed as a share of this machine's peak
	@$(RELEASE)/foveal bench

tests:
	@tools/setup test
	cmake --preset release -DFOVEAL_TEXT=ON -DFOVEAL_TESTS=ON -DFOVEAL_PYTHON=ON $(WERROR)
	cmake --build $(RELEASE) -j $(JOBS)

# Generated tests take fewer cases where somebody waits.
test: tests  ## build release and run every test
	FOVEAL_CASES=$${FOVEAL_CASES:-$(if $(CI),300,100)} ctest --preset release -j $(JOBS)

torch: tests  ## the Python package's tests and documents that need PyTorch (installed into build/torch)
	@tools/setup torch
	PYTHONPATH=$(RELEASE)/python build/torch/bin/python -m pytest -q -p no:cacheprovider tests/python/package/torch_*test.py
	build/torch/bin/python tools/check_snippets README.md docs/python.md docs/pytorch.md --only torch transformers

# Of PyTorch's cases of masks each 60th: less than three minutes on two cores.
conformance: tests  ## PyTorch's and transformers' own tests of attention, unmodified, run here (docs/conformance.md)
	@tools/setup torch
	PYTHONPATH=$(RELEASE)/python build/torch/bin/python tools/conformance --where-there --every 60
	PYTHONPATH=$(RELEASE)/python build/torch/bin/python tools/conformance_transformers --where-there

# Which tests go through all targets themselves, `make test` has run.
targets: tests  ## the C++ tests and the documents on each target that this CPU has besides its best one
	@names=$$($(RELEASE)/foveal targets) || exit; \
	for target in $$(echo "$$names" | sed '$$d; s/ .*//'); do \
	  echo "== target $$target"; \
	  FOVEAL_CASES=60 FOVEAL_TARGET=$$target ctest --preset release -j $(JOBS) -L '^(cpp|examples|snippets)$$' \
	    -E 'EveryTarget|StaysWithin|NoMemory' || exit; \
	done

check:  ## format, lint, order of rooms, length of files
	@tools/setup check
	JOBS=$(JOBS) tools/check

sanitize:  ## C++ tests under the address and undefined behaviour sanitizers; what runs in parallel under the thread sanitizer
	@tools/setup sanitize
	cmake --preset asan-ubsan $(WERROR)
	cmake --build build/asan-ubsan --target cpp_tests -j $(JOBS)
	ctest --preset asan-ubsan -j $(JOBS)
	cmake --preset tsan $(WERROR)
	cmake --build build/tsan --target $(PARALLEL) -j $(JOBS)
	ctest --preset tsan -j $(JOBS)

fuzz:  ## each fuzz target for SECONDS (15) from its corpus
	@tools/setup fuzz
	cmake --preset asan-ubsan $(WERROR)
	cmake --build build/asan-ubsan --target fuzz_targets -j $(JOBS)
	tools/fuzz $(or $(SECONDS),15)

oldest:  ## the engine's tests on the oldest x86-64 CPU, run by qemu: nothing newer may slip in
	@tools/setup oldest
	cmake --preset release -DFOVEAL_TEXT=ON -DFOVEAL_TESTS=ON $(WERROR)
	cmake --build $(RELEASE) --target core_test tensor_test attention_test -j $(JOBS)
	tools/oldest $(RELEASE)

neon:  ## the engine's tests for AArch64, cross-compiled and run by qemu
	@tools/setup neon
	cmake --preset neon $(WERROR)
	cmake --build build/neon --target core_test tensor_test attention_test -j $(JOBS)
	ctest --preset neon -j $(JOBS)

pictures:  ## render every picture and page into build/pictures/
	@tools/setup test
	cmake --preset release -DFOVEAL_TEXT=ON $(WERROR)
	cmake --build $(RELEASE) --target foveal_command -j $(JOBS)
	tools/pictures

mutate:  ## plant one-line faults; each must turn a test red
	@tools/setup test
	tools/mutate

clean:  ## remove what was built; keep what was fetched (build/venv, build/data)
	find build -mindepth 1 -maxdepth 1 ! -name venv ! -name data -exec rm -rf {} +
