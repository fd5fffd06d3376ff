include(CMakeFindDependencyMacro)
find_dependency(foveal COMPONENTS text)
include(${CMAKE_CURRENT_LIST_DIR}/parent_targets.cmake)
