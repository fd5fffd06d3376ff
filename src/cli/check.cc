// foveal check: printed numbers held against what comes out.

#include "trace/check.h"

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "foveal/error.h"

namespace foveal::cli {

namespace {

struct CheckOptions {
  std::string file;
  std::string out;
  bool json = false;
};

/// Errors of the check name the place in the file; the file's own name goes before it.
std::string report(const trace::Record& record, const CheckOptions& options) {
  try {
    return options.json ? trace::check_json(record) : trace::check_text(record);
  } catch (const Error& error) {
    throw Error(options.file + ": " + error.what(), error.kind());
  }
}

}  // namespace

void add_check(CLI::App& program, int* status) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command = program.add_subcommand(
      "check", "Hold the printed numbers of a file against what comes out; find the slip");
  command->add_option("FILE", options->file, "A foveal.input/1 file with `expected`")->required();
  command->add_flag("--json", options->json, "Write foveal.check/1");
  command->add_option("--out", options->out, "Write to this file instead of standard output");
  command->callback([options, status] {
    const trace::Record record = trace::run(trace::read_input(options->file));
    write_result(report(record, *options), options->out);
    if (!trace::all_printed_agree(record)) *status = 1;
  });
}

}  // namespace foveal::cli
