// foveal check: printed numbers held against what comes out.

#include "trace/check/check.h"

#include <memory>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/run_options.h"

namespace foveal::cli {

namespace {

struct CheckOptions {
  std::string file;
  std::optional<std::string> out;
  bool json = false;
};

}  // namespace

void add_check(CLI::App& program, int* status) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command = program.add_subcommand(
      "check", "Hold the printed numbers of a file against what comes out; find the slip");
  command->add_option("FILE", options->file, "A foveal.input/1 file with `expected`")->required();
  command->add_flag("--json", options->json, "Write foveal.check/1");
  command->add_option("--out", options->out, "Write to this file instead of standard output");
  command->callback([options, status] {
    refuse_to_replace(options->out, {options->file});
    apply({});
    const trace::Input input = trace::read_input(options->file);
    const std::string result = naming(options->file, [&] {
      const trace::Record record = trace::run(input);
      const trace::Findings findings = trace::find_slips(record);
      if (!trace::all_agree(findings.all)) *status = 1;
      return options->json ? trace::check_json(record, findings)
                           : trace::check_text(record, findings);
    });
    write_result(result, options->out);
  });
}

}  // namespace foveal::cli
