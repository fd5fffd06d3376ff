// foveal bench: attention's speed as a share of this machine's peak.

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "cli/arrays.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "measure/bench.h"

namespace foveal::cli {
namespace {

struct BenchOptions {
  std::optional<std::string> op, dtype, shape, mask, out;
  std::int64_t repeats = 0;
  RunOptions run;
  bool json = false;
};

measure::Request request_of(const BenchOptions& options, const measure::Op op) {
  measure::Request request;
  request.op = op;
  if (options.dtype) request.dtype = parse_dtype(*options.dtype);
  request.sizes =
      options.shape ? measure::parse_sizes(op, *options.shape) : measure::default_sizes(op);
  if (options.mask) {
    if (op == measure::Op::gemm) {
      throw Error("bench: a product has no mask: leave --mask out", ErrorKind::usage);
    }
    ArrayReader reader;
    request.mask =
        parse_mask(*options.mask, [&](const std::string& path) { return reader.read(path); });
  }
  return request;
}

std::vector<measure::Request> requests_of(const BenchOptions& options) {
  std::vector<measure::Request> requests;
  if (options.op) {
    requests.push_back(request_of(options, measure::parse_op(*options.op)));
  } else if (options.dtype || options.shape || options.mask) {
    throw Error("bench: --dtype, --shape and --mask are of one row: say which with --op",
                ErrorKind::usage);
  } else {
    requests = measure::standard_rows();
  }
  for (measure::Request& request : requests) request.repeats = options.repeats;
  return requests;
}

void bench(const BenchOptions& options) {
  const std::vector<measure::Request> requests = requests_of(options);
  apply(options.run);
  measure::Bench result;
  {
    Progress progress("measuring this machine's peaks");
    result = measure::run_bench(
        requests, options.run.target,
        [&](std::size_t index, std::size_t count, const measure::Request& request) {
          progress.set(
              fmt::format("row {} of {}: {}", index + 1, count, measure::describe(request)));
        });
  }
  write_result(options.json ? measure::bench_json(result)
                            : measure::bench_text(result, !options.out && colour_on_stdout()),
               options.out);
}

}  // namespace

void add_bench(CLI::App& program, int*) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command =
      program.add_subcommand("bench", "Speed as a share of this machine's peak, measured together");
  command->add_option("--op", options->op,
                      "forward, backward, decode, gemm, plan, call, naive, online, tiled; without "
                      "it a standard list");
  command->add_option("--dtype", options->dtype, "float32, float64, bfloat16, float16");
  command->add_option("--shape", options->shape,
                      "B8,H12,KV12,Lq1024,Lk1024,D64 (and Dv), or M8192,N768,K768");
  command->add_option("--mask", options->mask, "\"causal() & window(128, 0)\"");
  command->add_option("--repeats", options->repeats, "1 or more; by time where not given")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000}));
  add_run_options(command, options->run);
  command->add_flag("--json", options->json, "write foveal.bench/1");
  command->add_option("--out", options->out, "write there, whole or not at all");
  command->callback([options] { bench(*options); });
}

}  // namespace foveal::cli
