# What `cmake --install` puts below the prefix: the program, the shared library, its headers, a CMake package and a
# pkg-config file. The tree may be moved afterwards.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/dunnock)

install(TARGETS dunnock_shared EXPORT dunnock LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/dunnock DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT dunnock NAMESPACE dunnock:: FILE dunnock-targets.cmake DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dunnock-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES cmake/dunnock-config.cmake ${PROJECT_BINARY_DIR}/dunnock-config-version.cmake DESTINATION ${package})

file(RELATIVE_PATH PREFIX_FROM_PC /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" PREFIX_FROM_PC "${PREFIX_FROM_PC}")
configure_file(cmake/dunnock.pc.in dunnock.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/dunnock.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
