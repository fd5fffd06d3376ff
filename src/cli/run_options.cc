#include "cli/run_options.h"

#include "foveal/error.h"
#include "foveal/target.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal::cli {

void add_run_options(CLI::App* command, RunOptions& options) {
  command->add_option("--threads", options.threads, "1 or more; the CPUs where not given")
      ->check(CLI::Range(1, 1024));
  command->add_option("--target", options.target, "a name that foveal targets lists");
}

void apply(const RunOptions& options) {
  if (!options.target.empty()) set_target(options.target);
  find_target("");  // an unknown name in FOVEAL_TARGET ends the command before it works
  if (options.threads) set_num_threads(*options.threads);
}

DType parse_dtype(const std::string& name) {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    if (name == to_string(dtype)) return dtype;
  }
  throw Error("--dtype '" + name + "' is unknown: use float32, float64, bfloat16 or float16",
              ErrorKind::usage);
}

}  // namespace foveal::cli
