# make demo    install what is missing, build the program, fetch the default models, chat, embed and search
# make test    install what is missing, build everything, run every test (fetches the real weights once)
# make bench   measure the kernels and the default models beside the machine's limits
# make bench-models  speed of the models beside the machine's limits, into docs/benchmarks.md
# make bench-peers   time other engines and ours in turn on the same weights (PEERS="--with llama-cpp-python")
# make wasm    build the core for WebAssembly into build/wasm; installs Emscripten beside the system
# make build   leaves the program at build/release/dunnock; make tests builds its tests as well
# make install  installs the program, the shared library and its headers below PREFIX (DESTDIR: a root in front of it)

SHELL := /bin/bash
PRESET ?= release
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local

# $(call configure,DUNNOCK_TESTS=ON|OFF) prints only what went wrong.
configure = mkdir -p build; cmake --preset $(PRESET) -D$(1) > build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }

.PHONY: demo build install tests test bench bench-models bench-peers asan tsan tsan-threads lint format fuzz clean wasm wasm-test wasm-bench neon-test

build:
	@scripts/setup build
	@$(call configure,DUNNOCK_TESTS=OFF)
	@cmake --build --preset $(PRESET) -j $(JOBS) --target dunnock

tests:
	@scripts/setup build test
	@$(call configure,DUNNOCK_TESTS=ON)
	@cmake --build --preset $(PRESET) -j $(JOBS)

install:
	@scripts/setup build
	@$(call configure,DUNNOCK_TESTS=OFF)
	@cmake --build --preset $(PRESET) -j $(JOBS) --target dunnock dunnock_shared
	@DESTDIR="$(DESTDIR)" cmake --install build/$(PRESET) --prefix "$(PREFIX)"

demo: build
	@scripts/demo build/$(PRESET)/dunnock

test: tests
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
	@scripts/setup clang
	@$(MAKE) --no-print-directory test PRESET=$@

# The tests of several threads under ThreadSanitizer, built alone.
tsan-threads: PRESET := tsan
tsan-threads:
	@scripts/setup build test clang
	@$(call configure,DUNNOCK_TESTS=ON)
	@cmake --build --preset $(PRESET) -j $(JOBS) --target base_test runtime_test
	@build/$(PRESET)/src/base/base_test --gtest_brief=1 --gtest_filter='ThreadPool*'
	@build/$(PRESET)/src/runtime/runtime_test --gtest_brief=1 --gtest_filter='Threads*'

lint:
	@scripts/setup lint
	@scripts/lint

format:
	@git ls-files 'include/*.h' 'examples/*.c' 'examples/*.cc' 'src/*.h' 'src/*.c' 'src/*.cc' 'tests/*.cc' 'bench/*.cc' | grep -v unicode/tables | xargs clang-format-19 -i

fuzz:
	@scripts/setup build test clang
	@scripts/fuzz

clean:
	rm -rf build
