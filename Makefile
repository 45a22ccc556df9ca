# make demo    install what is missing, build, fetch the default models, chat, embed and search
# make test    install what is missing, build, run every test (fetches the real weights once)
# make bench   measure the kernels and the default models beside the machine's limits
# make bench-models  speed of the models beside the machine's limits, into docs/benchmarks.md
# make bench-peers   time other engines and ours in turn on the same weights (PEERS="--with llama-cpp-python")
# make wasm    build the core for WebAssembly into build/wasm; installs Emscripten beside the system
# make build   leaves the program at build/release/dunnock
# make install  installs the program, the shared library and its headers below PREFIX (DESTDIR: a root in front of it)

SHELL := /bin/bash
PRESET ?= release
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local

.PHONY: demo build install test bench bench-models bench-peers asan tsan lint format fuzz setup clean wasm wasm-test wasm-bench neon-test

build: setup
	@cmake --preset $(PRESET) > build/configure.log 2>&1 || { mkdir -p build; cmake --preset $(PRESET); }
	@cmake --build --preset $(PRESET) -j $(JOBS)

install: build
	@DESTDIR="$(DESTDIR)" cmake --install build/$(PRESET) --prefix "$(PREFIX)"

setup:
	@mkdir -p build
	@scripts/setup

demo: build
	@scripts/demo build/$(PRESET)/dunnock

test: build
	@scripts/run_tests $(PRESET)

bench: build
	@scripts/bench build/$(PRESET)

bench-models: build
	@python3 bench/models.py --dunnock build/$(PRESET)/dunnock

bench-peers: build
	@scripts/setup libbenchmark-dev
	@cmake -S . -B build/$(PRESET) -DDUNNOCK_BENCH=ON > /dev/null
	@cmake --build build/$(PRESET) --target tokenizers_bench > /dev/null
	@python3 bench/peers/run.py --dunnock build/$(PRESET)/dunnock $(PEERS)
	@python3 bench/peers/report.py

wasm:
	@scripts/wasm

wasm-test:
	@scripts/wasm_test

wasm-bench:
	@scripts/wasm_test measure

neon-test:
	@scripts/neon_test

asan tsan:
	@scripts/setup clang-19 libclang-rt-19-dev
	@$(MAKE) --no-print-directory test PRESET=$@

lint: setup
	@scripts/lint

format:
	@git ls-files 'include/*.h' 'examples/*.c' 'examples/*.cc' 'src/*.h' 'src/*.c' 'src/*.cc' 'tests/*.cc' 'bench/*.cc' | grep -v unicode/tables | xargs clang-format-19 -i

fuzz:
	@scripts/setup clang-19 libclang-rt-19-dev
	@scripts/fuzz

clean:
	rm -rf build
