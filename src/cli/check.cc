// foveal check: printed numbers held against what comes out.

#include "trace/check.h"

#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "foveal/error.h"

namespace foveal::cli {

namespace {

struct Options {
  std::string file;
  std::string out;
  bool json = false;
};

/// Errors of the check name the place in the file; the file's own name goes before it.
std::vector<trace::Check> checks_of(const trace::Record& record, const std::string& file) {
  try {
    return trace::check(record);
  } catch (const Error& error) {
    throw Error(file + ": " + error.what(), error.kind());
  }
}

bool all_agree(const std::vector<trace::Check>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const auto& one) { return one.agrees; });
}

}  // namespace

void add_check(CLI::App& program, int* status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "check", "Hold the printed numbers of a file against what comes out; find the slip");
  command->add_option("FILE", options->file, "A foveal.input/1 file with `expected`")->required();
  command->add_flag("--json", options->json, "Write foveal.check/1");
  command->add_option("--out", options->out, "Write to this file instead of standard output");
  command->callback([options, status] {
    trace::Record record = trace::run(trace::read_input(options->file));
    record.checks = checks_of(record, options->file);
    write_result(options->json ? trace::check_json(record) : trace::check_text(record),
                 options->out);
    if (!all_agree(record.checks)) *status = 1;
  });
}

}  // namespace foveal::cli
