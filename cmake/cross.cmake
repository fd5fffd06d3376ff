# For another machine: header-only packages of this one serve there too, but not its /usr/include.
set(cross_prefix ${PROJECT_BINARY_DIR}/cross)
file(COPY /usr/share/cmake/nlohmann_json DESTINATION ${cross_prefix}/share/cmake)
file(MAKE_DIRECTORY ${cross_prefix}/include)
file(CREATE_LINK /usr/include/nlohmann ${cross_prefix}/include/nlohmann SYMBOLIC)
set(nlohmann_json_DIR ${cross_prefix}/share/cmake/nlohmann_json)
# GoogleTest comes with its sources.
set(INSTALL_GTEST OFF)
set(BUILD_GMOCK OFF)
