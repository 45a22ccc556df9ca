# The target dunnock::dunnock: the shared library and its headers, for C99 and C++20.
include("${CMAKE_CURRENT_LIST_DIR}/dunnock-targets.cmake")
