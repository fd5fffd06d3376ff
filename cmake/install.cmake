# cmake --install: headers, libraries, the command, find_package(foveal) and pkg-config.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/foveal)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/foveal DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS foveal EXPORT foveal_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT foveal_targets NAMESPACE foveal:: DESTINATION ${package_dir} FILE foveal-targets.cmake)
if(FOVEAL_TEXT)
  install(TARGETS foveal_text EXPORT foveal_text_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT foveal_text_targets NAMESPACE foveal:: DESTINATION ${package_dir} FILE foveal-text-targets.cmake)
endif()
if(FOVEAL_COMMAND)
  install(TARGETS foveal_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# What a linker of C has to be told of C++.
set(FOVEAL_RUNTIME ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
list(FILTER FOVEAL_RUNTIME INCLUDE REGEX "^(stdc[+][+]|c[+][+]|c[+][+]abi|m)$")
set(FOVEAL_LINK_FLAGS)
if(NOT BUILD_SHARED_LIBS)
  list(TRANSFORM FOVEAL_RUNTIME PREPEND "-l" OUTPUT_VARIABLE runtime_flags)
  list(JOIN runtime_flags " " FOVEAL_LINK_FLAGS)
  string(APPEND FOVEAL_LINK_FLAGS " -pthread")
endif()

write_basic_package_version_file(${PROJECT_BINARY_DIR}/foveal-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/foveal-config.cmake.in ${PROJECT_BINARY_DIR}/foveal-config.cmake @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/foveal-config.cmake ${PROJECT_BINARY_DIR}/foveal-config-version.cmake DESTINATION ${package_dir})

# pkg-config files find their prefix from where they lie, so that an installed tree can be moved.
file(RELATIVE_PATH prefix_from_pkgconfig /prefix/${pkgconfig_dir} /prefix)
set(pkgconfig_names foveal)
if(FOVEAL_TEXT)
  list(APPEND pkgconfig_names foveal-text)
endif()
foreach(name IN LISTS pkgconfig_names)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${pkgconfig_dir})
endforeach()
