#pragma once
// How commands that compute are to run: target and threads.

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "foveal/dtype.h"

namespace foveal::cli {

struct RunOptions {
  std::string target;
  std::optional<int> threads;
};

void add_run_options(CLI::App* command, RunOptions& options);

/// For all that this process runs from here on. Throws Error (kind usage) for a target that is
/// unknown or unusable here.
void apply(const RunOptions& options);

/// What --dtype names. Throws Error (kind usage) where it names none of the floating ones.
DType parse_dtype(const std::string& name);

}  // namespace foveal::cli
