// foveal audit: error against float64, ours and a plain implementation's.

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "measure/audit.h"

namespace foveal::cli {
namespace {

struct AuditOptions {
  RunOptions run;
  std::optional<std::string> out;
  bool json = false;
};

void audit(const AuditOptions& options, int& status) {
  constexpr int kDifference = 1;
  apply(options.run);
  std::vector<measure::AuditRow> rows;
  {
    Progress progress("auditing");
    rows = measure::run_audit(options.run.target, [&](std::size_t index, std::size_t count) {
      progress.set(fmt::format("auditing, row {} of {}", index + 1, count));
    });
  }
  write_result(options.json ? measure::audit_json(rows) : measure::audit_text(rows), options.out);
  if (!measure::holds(rows)) status = kDifference;
}

}  // namespace

void add_audit(CLI::App& program, int* status) {
  auto options = std::make_shared<AuditOptions>();
  CLI::App* command = program.add_subcommand(
      "audit",
      "Error against float64, ours and a plain implementation's; 1 where it is above bound");
  add_run_options(command, options->run);
  command->add_flag("--json", options->json, "write foveal.audit/1");
  command->add_option("--out", options->out, "write there, whole or not at all");
  command->callback([options, status] { audit(*options, *status); });
}

}  // namespace foveal::cli
