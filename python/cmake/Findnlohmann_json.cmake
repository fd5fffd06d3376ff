# nlohmann-json: the system's, else where pip has put it, as headers in a Python package.
find_package(nlohmann_json CONFIG QUIET)
if(NOT nlohmann_json_FOUND)
  find_package(Python 3.10 REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND ${Python_EXECUTABLE} -c "import nlohmann_json; print(nlohmann_json.__path__[0])"
    OUTPUT_STRIP_TRAILING_WHITESPACE OUTPUT_VARIABLE folder COMMAND_ERROR_IS_FATAL ANY)
  find_path(nlohmann_json_INCLUDE nlohmann/json.hpp PATHS ${folder}/include NO_DEFAULT_PATH REQUIRED)
  add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
  target_include_directories(nlohmann_json::nlohmann_json INTERFACE ${nlohmann_json_INCLUDE})
  set(nlohmann_json_FOUND TRUE)
endif()
