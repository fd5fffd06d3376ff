// foveal targets: what this CPU can run, a line each, name first.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "kernels/targets/registry.h"

namespace foveal::cli {

void add_targets(CLI::App& program, int*) {
  CLI::App* command = program.add_subcommand("targets", "List the targets usable here");
  command->callback([] {
    std::string text;
    for (const Target* target : usable_targets()) {
      text += fmt::format("{:<12} tiles of {} float32 queries, {} float64{}\n", target->name,
                          target->forward_float32.query_tile, target->forward_float64.query_tile,
                          target == usable_targets().back() ? "; the default" : "");
    }
    write_result(text, {});
  });
}

}  // namespace foveal::cli
