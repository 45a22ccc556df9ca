# The core in WebAssembly. Four builds, of which a host loads the best it can run: relaxed SIMD or not, threads or not
# (src/wasm/dunnock.mjs). Set the same everywhere but relaxed SIMD, which only kernels/ uses.
option(DUNNOCK_WASM_RELAXED "Use the dot product of relaxed SIMD" OFF)
option(DUNNOCK_WASM_THREADS "Use threads; the page has to be cross-origin isolated" OFF)

foreach(library IN ITEMS nlohmann_json::nlohmann_json Threads::Threads)
  add_library(${library} INTERFACE IMPORTED)
endforeach()
target_include_directories(nlohmann_json::nlohmann_json SYSTEM INTERFACE $ENV{DUNNOCK_WASM_INCLUDE})

set(flags -msimd128 -fwasm-exceptions)
if(DUNNOCK_WASM_THREADS)
  list(APPEND flags -pthread)
endif()
target_compile_options(dunnock_options INTERFACE ${flags})
target_link_options(dunnock_options INTERFACE ${flags})
