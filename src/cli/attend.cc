// foveal attend: fused attention on files.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "attention/plan/plan_data.h"
#include "cli/arrays.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "cli/signals.h"
#include "cli/statistics.h"
#include "core/memory.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/plan.h"
#include "foveal/threads.h"
#include "io/json.h"
#include "io/npy.h"

namespace foveal::cli {
namespace {

struct Options {
  std::string query, key, value, mask = "none()";
  std::optional<double> scale;
  std::optional<std::string> bias, alibi, sinks, dtype, statistics, out, lse, weights;
  double softcap = 0, dropout = 0;
  std::uint64_t seed = 0;
  RunOptions run;
  bool strict = false, json = false, plan = false;
};

struct Inputs {
  Tensor query, key, value;  // four axes
  bool flat = false;         ///< they came as (L, D)
};

std::vector<std::string> files_read(const Options& options) {
  std::vector<std::string> files;
  for (const auto& name : {options.query, options.key, options.value})
    files.push_back(file_of(name));
  for (const auto& name : {options.bias, options.alibi, options.sinks}) {
    if (name) files.push_back(file_of(*name));
  }
  return files;
}

void check_outputs(const Options& options) {
  if (!options.out && !options.lse && !options.weights && !options.json && !options.plan) {
    throw Error("attend: nothing is asked for: give --out, --lse, --weights, --json or --plan",
                ErrorKind::usage);
  }
  if (options.statistics && !options.json && !options.plan) {
    throw Error("attend: --statistics are written by --json: give that too", ErrorKind::usage);
  }
  const std::optional<std::string>* const paths[] = {&options.out, &options.lse, &options.weights};
  const std::vector<std::string> inputs = files_read(options);
  for (const auto* a : paths) {
    refuse_to_replace(*a, inputs);
    for (const auto* b : paths) {
      if (a != b && *a && *a == *b) {
        throw Error("attend: two results can't go to one file, '" + **a + "'", ErrorKind::usage);
      }
    }
  }
}

DType dtype_of_files(const Options& options, const Inputs& inputs) {
  if (options.dtype == "float32") return DType::float32;
  if (options.dtype == "bfloat16") return DType::bfloat16;
  if (options.dtype == "float16") return DType::float16;
  for (const Tensor* tensor : {&inputs.query, &inputs.key, &inputs.value}) {
    if (tensor->dtype() != DType::float16) return DType::float32;
  }
  return DType::float16;
}

double infinities(const Tensor& tensor) { return sum(eq(abs(tensor), INFINITY)).item(); }

/// Throws Error where a finite number becomes infinite.
Tensor rounded(const Tensor& tensor, DType dtype, const std::string& file) {
  const Tensor result = tensor.to(dtype);
  if (dtype == tensor.dtype() || infinities(result) == infinities(tensor)) {
    return result;
  }
  throw Error("file '" + file + "' holds a number that is too large for " +
              std::string(to_string(dtype)) + ": give smaller numbers, or another --dtype");
}

Inputs read_inputs(const Options& options, ArrayReader& reader) {
  Inputs inputs;
  const std::pair<const std::string*, Tensor*> files[] = {{&options.query, &inputs.query},
                                                          {&options.key, &inputs.key},
                                                          {&options.value, &inputs.value}};
  for (const auto& [name, tensor] : files) {
    *tensor = reader.read_floating(*name);
    const std::int64_t rank = tensor->rank();
    if (rank != 2 && rank != 4) {
      throw Error("file '" + *name + "' has shape " + to_string(tensor->shape()) +
                  ": it must be (B, H, L, D) or (L, D)");
    }
    const bool flat = rank == 2;
    if (tensor == &inputs.query) inputs.flat = flat;
    if (flat != inputs.flat) {
      throw Error("file '" + *name + "' has shape " + to_string(tensor->shape()) +
                  " but the query has " + (inputs.flat ? "two axes" : "four") +
                  ": give Q, K and V alike, (B, H, L, D) or (L, D)");
    }
    if (flat) *tensor = tensor->unsqueeze(0).unsqueeze(0);
  }
  const DType dtype = dtype_of_files(options, inputs);
  for (const auto& [name, tensor] : files) *tensor = rounded(*tensor, dtype, *name);
  return inputs;
}

AttentionOptions attention_options(const Options& options, ArrayReader& reader) {
  AttentionOptions result;
  if (options.statistics) result.statistics = parse_statistics(*options.statistics);
  result.mask =
      parse_mask(options.mask, [&](const std::string& path) { return reader.read(path); });
  result.scale = options.scale;
  result.softcap = options.softcap;
  if (options.bias) result.bias = reader.read_floating(*options.bias);
  if (options.alibi) result.alibi_slopes = reader.read_floating(*options.alibi);
  if (options.sinks) result.sinks = reader.read_floating(*options.sinks);
  result.dropout = options.dropout;
  result.seed = options.seed;
  result.return_lse = options.lse.has_value();
  result.return_weights = options.weights.has_value();
  result.target = options.run.target;
  result.strict = options.strict;
  result.stop = SignalsHeld::came;
  return result;
}

/// Results stand in memory twice, as numbers and as a file's bytes; statistics as text.
void require_memory(const PlanData& plan, const Options& options) {
  constexpr double kTextFactor = 8;
  const double results = result_bytes(plan) * (options.statistics ? kTextFactor : 2);
  const double needed = results + workspace_bytes(plan, num_threads());
  const auto usable = static_cast<double>(usable_memory());
  if (needed <= usable) return;
  throw Error(fmt::format(
      "attend: results and workspace take about {:.3g} GB, but this process may use {:.3g} GB: ask "
      "for less or give shorter inputs",
      needed / 1e9, usable / 1e9));
}

/// Planning a mask that differs between heads takes memory for each, even where there are no rows.
void require_memory_to_plan(const Inputs& inputs) {
  constexpr double kBytesPerHead = 256;
  const double heads =
      static_cast<double>(inputs.query.size(0)) * static_cast<double>(inputs.query.size(1));
  if (heads * kBytesPerHead <= static_cast<double>(usable_memory())) return;
  throw Error("attend: query has shape " + to_string(inputs.query.shape()) +
              ": so many heads don't fit in memory");
}

struct Timed {
  AttentionResult result;
  double median_ms = 0;
};

/// Once, or for the sake of the median up to five times within half a second.
Timed run(const Plan& plan, const Inputs& inputs, bool repeat) {
  constexpr double kLimit = 500;
  constexpr std::size_t kMostRuns = 5;
  Timed timed;
  std::vector<double> times;
  double total = 0;
  do {
    timed.result = {};
    const auto begin = std::chrono::steady_clock::now();
    timed.result = plan.run(inputs.query, inputs.key, inputs.value);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    times.push_back(time.count());
    total += time.count();
  } while (repeat && times.size() < kMostRuns && total < kLimit);
  std::sort(times.begin(), times.end());
  timed.median_ms = times[times.size() / 2];
  return timed;
}

/// Without B and H where the inputs had none.
void flatten(Tensor& tensor) {
  if (tensor.defined()) tensor = tensor.select(0, 0).select(0, 0);
}

void flatten(AttentionResult& result) {
  Statistics& s = result.statistics;
  for (Tensor* tensor : {&result.output, &result.lse, &result.weights, &s.top_k_keys,
                         &s.top_k_weights, &s.entropy, &s.maximum, &s.column_mass, &s.rows}) {
    flatten(*tensor);
  }
}

std::string result_json(const PlanData& plan, const Timed& timed) {
  const Problem& p = plan.problem;
  std::string warnings;
  for (const MaskWarning& warning :
       lint(plan.options.mask, p.batch, p.query_length, p.key_length)) {
    warnings += (warnings.empty() ? "" : ", ") + json_string(warning.text);
  }
  return fmt::format(
      "{{\"schema\": \"foveal.attend/1\", \"shape\": {{\"B\": {}, \"H\": {}, \"H_kv\": {}, "
      "\"L_q\": {}, \"L_k\": {}, \"D\": {}, \"D_v\": {}}}, \"dtype\": \"{}\", \"target\": \"{}\", "
      "\"threads\": {}, \"median_ms\": {}, \"statistics\": {}, \"warnings\": [{}]}}\n",
      p.batch, p.heads, p.kv_heads, p.query_length, p.key_length, p.head_size, p.value_size,
      to_string(p.dtype), plan.target->name, num_threads(), json_number(timed.median_ms),
      statistics_json(timed.result.statistics), warnings);
}

void write_files_asked_for(const Options& options, const AttentionResult& result) {
  std::vector<std::pair<std::string, std::string>> files;
  const auto add = [&files](const std::optional<std::string>& path, const Tensor& tensor) {
    if (path) files.emplace_back(*path, npy_bytes(tensor.to(DType::float32)));
  };
  add(options.out, result.output);
  add(options.lse, result.lse);
  add(options.weights, result.weights);
  write_results(files);
}

void attend(const Options& options) {
  check_outputs(options);
  apply(options.run);
  ArrayReader reader;
  const AttentionOptions asked = attention_options(options, reader);
  const Inputs inputs = read_inputs(options, reader);
  require_memory_to_plan(inputs);
  const Plan plan = plan_attention(inputs.query.shape(), inputs.key.shape(), inputs.value.shape(),
                                   inputs.query.dtype(), asked);
  if (options.plan) {
    write_result(options.json ? plan.to_json() + "\n" : plan.explain(), {});
    return;
  }
  require_memory(plan.data(), options);
  Timed timed;
  {
    const Progress progress("attending");
    const SignalsHeld held;  // a signal ends the call between two tasks, then the process
    timed = run(plan, inputs, options.json);
  }
  if (inputs.flat) flatten(timed.result);
  const std::string json = options.json ? result_json(plan.data(), timed) : "";
  write_files_asked_for(options, timed.result);
  if (options.json) write_result(json, {});
}

/// A number that is finite and not below `lowest`, nor above `highest`.
CLI::Validator within(double lowest, double highest, const std::string& rule) {
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        const bool fits = CLI::detail::lexical_cast(text, value) && std::isfinite(value) &&
                          value >= lowest && value <= highest;
        return fits ? std::string() : "'" + text + "' must be " + rule;
      },
      "");
}

/// CLI11 itself takes -1 for 2^64 - 1.
CLI::Validator whole_number() {
  return CLI::Validator(
      [](std::string& text) {
        std::uint64_t value = 0;
        const char* const end = text.data() + text.size();
        const auto [stop, problem] = std::from_chars(text.data(), end, value);
        const bool fits = problem == std::errc() && stop == end;
        return fits ? std::string() : "'" + text + "' must be a whole number from 0 to 2^64 - 1";
      },
      "");
}

}  // namespace

void add_attend(CLI::App& program, int*) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("attend", "Fused attention on files");
  command->add_option("Q", options->query, "FILE.npy or FILE.safetensors:NAME")->required();
  command->add_option("K", options->key, "the same; may have fewer heads")->required();
  command->add_option("V", options->value, "the same; its last size is its own")->required();
  command->add_option("--mask", options->mask, "\"causal(top_left) & window(128, 0)\"");
  const double huge = std::numeric_limits<double>::max();
  command->add_option("--scale", options->scale, "of the scores; 1/√D where not given")
      ->check(within(-huge, huge, "a finite number"));
  command->add_option("--softcap", options->softcap, "C > 0: C·tanh(S/C)")
      ->check(within(0, huge, "a finite number, 0 or more"));
  command->add_option("--bias", options->bias, "array added to the scores");
  command->add_option("--alibi", options->alibi, "array of H slopes");
  command->add_option("--sinks", options->sinks, "array of H logits");
  command->add_option("--dropout", options->dropout, "probability that a weight is dropped")
      ->check(within(0, 1, "a number from 0 to 1"));
  command->add_option("--seed", options->seed, "of dropout")->check(whole_number());
  command->add_option("--dtype", options->dtype, "float32, bfloat16, float16")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}));
  add_run_options(command, options->run);
  command->add_flag("--strict", options->strict, "refuse anything but the fused path");
  command->add_option("--statistics", options->statistics,
                      "\"top_k=4,entropy,maximum,column_mass,rows=[0,5]\"");
  command->add_option("--out", options->out, "write the output here, as float32 .npy");
  command->add_option("--lse", options->lse, "write the log-sum-exp of each row here");
  command->add_option("--weights", options->weights, "write the weights here");
  command->add_flag("--json", options->json, "write foveal.attend/1 to standard output");
  command->add_flag("--plan", options->plan, "print what would run, and don't run it");
  command->callback([options] { attend(*options); });
}

}  // namespace foveal::cli
