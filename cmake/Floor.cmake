# dunnock_floor(NAME [DEPS floor-or-library...]) makes the library dunnock_NAME from every x.cc of
# the current folder, and the test program NAME_test from every x_test.cc beside them. Of x_linux.cc,
# x_posix.cc and x_wasm.cc it takes the one for this platform: on Linux x_posix.cc where there is no x_linux.cc.
# tools/check/check_floors.py checks that includes agree with the floors.

add_library(dunnock_options INTERFACE)
target_compile_features(dunnock_options INTERFACE cxx_std_23)
# The same bits on every machine: no fused multiply-add unless the source says so (docs/architecture.md).
target_compile_options(dunnock_options INTERFACE -Wall -Wextra -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlaps in std::string that cannot be (GCC bug 105651).
  target_compile_options(dunnock_options INTERFACE -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's std::stable_sort is made of a function that it calls deprecated itself.
  target_compile_options(dunnock_options INTERFACE -Wno-deprecated-declarations)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  # libstdc++ shows std::expected to a compiler whose concepts are of 2020. Clang 16 to 18 say 2019 and compile it.
  target_compile_options(dunnock_options INTERFACE -D__cpp_concepts=202002L -Wno-macro-redefined
                                                   -Wno-builtin-macro-redefined)
endif()
if(DUNNOCK_WERROR)
  target_compile_options(dunnock_options INTERFACE -Werror)
endif()
if(DUNNOCK_SANITIZE)
  target_compile_options(dunnock_options INTERFACE -fsanitize=${DUNNOCK_SANITIZE}
                                                   -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(dunnock_options INTERFACE -fsanitize=${DUNNOCK_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The checks that sanitizers put in make g++ warn of uses that cannot be. Look at each: one was real
    # (g++ 12 miscompiles an index into a conditional of two string literals).
    target_compile_options(dunnock_options INTERFACE -Wno-error=maybe-uninitialized)
  endif()
endif()
if(DUNNOCK_FUZZ)
  target_compile_options(dunnock_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_include_directories(dunnock_options INTERFACE ${PROJECT_SOURCE_DIR}/src)

function(dunnock_floor NAME)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|^main|/main)\\.cc$")
  if(EMSCRIPTEN)
    list(FILTER sources EXCLUDE REGEX "_posix\\.cc$")
  else()
    list(FILTER sources EXCLUDE REGEX "_wasm\\.cc$")
  endif()
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    foreach(source ${sources})
      string(REGEX REPLACE "_linux\\.cc$" "_posix.cc" general ${source})
      if(NOT general STREQUAL source)
        list(REMOVE_ITEM sources ${general})
      endif()
    endforeach()
  else()
    list(FILTER sources EXCLUDE REGEX "_linux\\.cc$")
    list(FILTER tests EXCLUDE REGEX "_linux_test\\.cc$")
  endif()

  if(NOT sources)
    add_library(dunnock_${NAME} INTERFACE)
    return()
  endif()
  add_library(dunnock_${NAME} STATIC ${sources})
  target_link_libraries(dunnock_${NAME} PUBLIC dunnock_options ${ARG_DEPS})
  if(DUNNOCK_SHARED)
    # The same objects make the program and the shared library. Hidden, they cost the program nothing: its linker
    # turns an address that would be asked for at run time into a fixed one.
    set_target_properties(dunnock_${NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON
                                                     CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  endif()
  if(DUNNOCK_SANITIZE AND NOT NAME STREQUAL "cli")
    # Tests and the command line stay unoptimized: they take the compiler long, and hardly any time to run.
    target_compile_options(dunnock_${NAME} PRIVATE -O1)
  endif()
  if(DUNNOCK_TESTS AND tests)
    string(COMPARE NOTEQUAL "${DUNNOCK_SANITIZE}" "" sanitized)
    add_executable(${NAME}_test ${tests})
    # Tests read goldens from disk, whatever their floor.
    target_link_libraries(${NAME}_test PRIVATE dunnock_${NAME} dunnock_io GTest::gtest_main)
    target_compile_definitions(${NAME}_test PRIVATE DUNNOCK_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                               DUNNOCK_SANITIZED=${sanitized})
    add_test(NAME ${NAME} COMMAND ${NAME}_test)
  endif()
endfunction()
