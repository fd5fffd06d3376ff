#pragma once
// One function a command: it adds the command to the program. Its callback runs after parsing; it
// throws Error, or sets *status where the command ends with a status of its own (1: a difference).

#include <CLI/CLI.hpp>

namespace foveal::cli {

void add_explain(CLI::App& program, int* status);
void add_check(CLI::App& program, int* status);
void add_attend(CLI::App& program, int* status);
void add_audit(CLI::App& program, int* status);
void add_bench(CLI::App& program, int* status);
void add_compare(CLI::App& program, int* status);
void add_targets(CLI::App& program, int* status);

}  // namespace foveal::cli
