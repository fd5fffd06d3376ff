// A plan in words and in JSON: both tell the same facts.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attention/mask/lint.h"
#include "attention/plan/plan_data.h"
#include "core/door.h"
#include "core/number_text.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

using Json = nlohmann::ordered_json;

struct TileCounts {
  std::int64_t full = 0, partial = 0, all = 0;
};

/// Whether tiles of queries are walked: by the forward, or by a second pass.
bool walks_tiles(const PlanData& plan) {
  return !plan.decodes_all() || needs_second_pass(plan.options);
}

TileCounts count_tiles(const PlanData& plan) {
  TileCounts counts;
  const Problem& problem = plan.problem;
  for (const SequencePlan& sequence : plan.sequences) {
    const auto planes = static_cast<std::int64_t>(sequence.order.size());
    if (planes == 0) continue;
    // Planes that don't differ are planned once.
    const std::int64_t heads = sequence.sequence.entries * problem.heads;
    const std::int64_t copies = heads / planes;
    for (const std::vector<TileRun>& runs : sequence.runs) {
      for (const TileRun& run : runs) {
        (run.kind == TileKind::full ? counts.full : counts.partial) +=
            copies * (run.last - run.first);
      }
    }
    const std::int64_t key_tiles = (sequence.sequence.key_length + kPlanKeyTile - 1) / kPlanKeyTile;
    counts.all += heads * sequence.query_tiles * key_tiles;
  }
  return counts;
}

std::string target_reason(const PlanData& plan) {
  if (!plan.options.target.empty()) return "asked for";
  if (plan.target == usable_targets().back()) return "the best that this CPU can run";
  return "set_target or FOVEAL_TARGET names it";
}

/// What becomes of numbers of 16 bits.
std::string half_reason(const PlanData& plan) {
  const std::string dtype = to_string(plan.problem.dtype);
  if (plan.decodes_all() && plan.decoded.has_row_tiles()) {
    return dtype + " is widened to float32 tile by tile; products and sums are float32";
  }
  const bool pairs =
      plan.problem.dtype == DType::bfloat16 && plan.target->forward_bfloat16.tile != nullptr;
  if (plan.decodes_all() && !pairs) {
    return dtype + " is widened to float32 in registers; products and sums are float32";
  }
  if (plan.pair_products() || plan.decodes_all()) {
    return "bfloat16 is multiplied as it is, two products a lane, with float32 sums; weights are "
           "rounded to bfloat16 before they meet V" +
           std::string(needs_second_pass(plan.options) ? "; the second pass widens it to float32"
                                                       : "");
  }
  const bool by_thread = plan.widens_rows() && !needs_second_pass(plan.options);
  const std::string why =
      !pairs ? std::string("since target ") + plan.target->name + " has no products of " + dtype
      : gathers_rows(plan.options) ? "for the statistics"
                                   : "for its large scale";
  return dtype + " is widened to float32 " +
         (by_thread ? "by each thread, a head at a time" : "once") + ", " + why +
         "; products and sums are float32";
}

/// Of the tiles and rows that it walks.
void add_walk(const PlanData& plan, std::vector<std::string>& reasons) {
  if (walks_tiles(plan) || plan.decoded.has_row_tiles()) {
    reasons.push_back(std::to_string(plan.query_tile) + (walks_tiles(plan) ? " queries" : " rows") +
                      " a tile: a lane each, in as many registers as the target has to spare");
    reasons.push_back(std::to_string(kPlanKeyTile) +
                      " keys a tile: one word holds a query's mask bits");
  }
  if (!plan.decodes_all()) {
    reasons.push_back(
        "one task for each tile of queries of each head, heaviest first, so that threads end "
        "together");
  }
  if (plan.decodes_any()) {
    reasons.push_back(
        "decode: the queries of all heads that share a KV head go through its keys together, each "
        "key and value read once, in splits of " +
        std::to_string(kDecodeSplit) + " keys");
  }
}

/// Why it runs as it does, a line each.
std::vector<std::string> reasons_of(const PlanData& plan) {
  const AttentionOptions& options = plan.options;
  std::vector<std::string> reasons = {std::string("target ") + plan.target->name + ": " +
                                      target_reason(plan)};
  add_walk(plan, reasons);
  if (size_of(plan.problem.dtype) == 2) reasons.push_back(half_reason(plan));
  if (options.bias.defined()) reasons.push_back("bias is read where it lies, never spread out");
  if (options.dropout_mask.defined()) {
    reasons.push_back("dropout_mask is read where it lies, never spread out");
  } else if (options.dropout > 0) {
    reasons.push_back("dropout is drawn by counter, tile by tile: no mask is stored");
  }
  if (gathers_rows(options)) {
    reasons.push_back(
        "top-k, entropy, maximum: gathered as the scores pass, which tiles of float32 (float64 for "
        "float64) do: no decode, no products of 16 bits");
  }
  if (is_packed(options) && plan.sequences.size() != 1) {
    reasons.push_back(std::to_string(plan.sequences.size()) +
                      " packed sequences: each has its own tiles, none sees another");
  }
  return reasons;
}

/// What goes beyond the one fused pass; strict refuses it.
std::vector<std::string> extras_of(const PlanData& plan) {
  std::vector<std::string> extras;
  if (!needs_second_pass(plan.options)) return extras;
  extras.push_back(
      "weights, column mass, rows in full: a second pass over the scores, with each row's lse");
  if (plan.options.return_weights) extras.push_back("weights: L_q x L_k numbers a head are stored");
  return extras;
}

/// Of the mask's linter; where there are several sequences, none is looked at, nor is a call of no
/// heads.
std::vector<std::string> warnings_of(const PlanData& plan) {
  std::vector<std::string> texts;
  const Problem& p = plan.problem;
  if (plan.sequences.size() != 1 || p.batch == 0 || p.heads == 0) return texts;
  MaskShape shape = plan.sequences.front().mask->shape();
  shape.heads = plan.options.mask.node().heads();
  for (MaskWarning& warning : lint_shape(plan.options.mask, shape)) {
    texts.push_back(std::move(warning.text));
  }
  return texts;
}

/// The least and the largest of some numbers, as "3" or "3 to 7".
std::string range_text(const std::vector<std::int64_t>& numbers) {
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  return std::to_string(*least) + (*least == *most ? "" : " to " + std::to_string(*most));
}

/// The rows of a KV head in the sequences that are decoded, and the tasks that they make.
struct GroupedRows {
  std::vector<std::int64_t> rows, splits;  // a sequence each
  bool tiles = false;                      // more than one task of rows somewhere
  std::int64_t tasks = 0;

  explicit GroupedRows(const DecodeList& list) : tiles(list.has_row_tiles()), tasks(list.tasks()) {
    for (const DecodeSequence& sequence : list.sequences()) {
      rows.push_back(sequence.rows);
      splits.push_back(sequence.splits);
    }
  }
};

std::string grouped_rows_text(const PlanData& plan) {
  const GroupedRows grouped(plan.decoded);
  std::string text = range_text(grouped.rows) + " a KV head (query heads that share it: " +
                     std::to_string(plan.problem.group()) + ", times queries)";
  if (grouped.tiles) text += ", " + std::to_string(plan.query_tile) + " a tile at most";
  return text + ", by " + range_text(grouped.splits) +
         " splits of keys: " + std::to_string(grouped.tasks) + " tasks";
}

Json grouped_rows_json(const PlanData& plan) {
  if (!plan.decodes_any()) return {};
  const GroupedRows grouped(plan.decoded);
  return {{"rows", grouped.rows},
          {"splits", grouped.splits},
          {"tiled", grouped.tiles},
          {"tasks", grouped.tasks}};
}

/// Lengths and offsets where they are given, in a line; empty where none is.
std::string places_text(const AttentionOptions& options) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (!options.key_lengths.empty()) add("key_lengths " + range_text(options.key_lengths));
  if (options.query_offset) add("query_offset " + std::to_string(*options.query_offset));
  if (!options.query_offsets.empty()) add("query_offsets " + range_text(options.query_offsets));
  if (options.key_offset != 0) add("key_offset " + std::to_string(options.key_offset));
  return text;
}

Json places_json(const AttentionOptions& options) {
  Json json = {{"key_offset", options.key_offset}};
  json["query_offset"] = options.query_offset ? Json(*options.query_offset) : Json();
  json["query_offsets"] = options.query_offsets;
  json["key_lengths"] = options.key_lengths;
  return json;
}

int threads_of(const PlanData& plan) {
  return plan.options.threads > 0 ? plan.options.threads : num_threads();
}

std::string bytes_text(double bytes) {
  if (bytes >= 1e9) return number_text(bytes / 1e9, 3) + " GB";
  if (bytes >= 1e6) return number_text(bytes / 1e6, 3) + " MB";
  return number_text(bytes / 1e3, 3) + " kB";
}

double per_pair(const Problem& problem) {
  return static_cast<double>(problem.head_size) + static_cast<double>(problem.value_size);
}

std::string work_text(const PlanData& plan) {
  const Work work = count_work(plan);
  const double factor = per_pair(plan.problem);
  const double done = static_cast<double>(work.computed_pairs);
  const double needed = static_cast<double>(work.needed_pairs);
  std::string text = "work: " + number_text(done * factor) + " multiplications; the mask needs " +
                     number_text(needed * factor);
  if (done > 0)
    text += " (" + number_text(100 * needed / done, 1, std::chars_format::fixed) + " %)";
  return text + "; without a mask it would be " +
         number_text(static_cast<double>(work.all_pairs) * factor);
}

Json shape_json(const Problem& problem) {
  return {{"B", problem.batch},          {"H", problem.heads},        {"H_kv", problem.kv_heads},
          {"L_q", problem.query_length}, {"L_k", problem.key_length}, {"D", problem.head_size},
          {"D_v", problem.value_size}};
}

Json work_json(const PlanData& plan) {
  const Work work = count_work(plan);
  const std::int64_t factor = plan.problem.head_size + plan.problem.value_size;
  return {{"pairs_needed", work.needed_pairs},
          {"pairs_done", work.computed_pairs},
          {"pairs_without_mask", work.all_pairs},
          {"multiplications_needed", work.needed_pairs * factor},
          {"multiplications_done", work.computed_pairs * factor}};
}

}  // namespace

std::string Plan::explain() const try {
  const PlanData& plan = *data_;
  const Problem& p = plan.problem;
  const TileCounts tiles = count_tiles(plan);
  const int threads = threads_of(plan);
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  std::string text = "attention: B " + number(p.batch) + ", H " + number(p.heads) + ", H_kv " +
                     number(p.kv_heads) + ", L_q " + number(p.query_length) + ", L_k " +
                     number(p.key_length) + ", D " + number(p.head_size) + ", D_v " +
                     number(p.value_size) + ", " + to_string(p.dtype) + "\n";
  text += "mask: " + to_string(plan.options.mask) + "\n";
  const std::string places = places_text(plan.options);
  if (!places.empty()) text += "places: " + places + "\n";
  text += "tiles: " + number(tiles.all) + " of " + number(plan.query_tile) + " queries by " +
          number(kPlanKeyTile) + " keys: " + number(tiles.full) + " full, " +
          number(tiles.partial) + " partial, " + number(tiles.all - tiles.full - tiles.partial) +
          " empty and skipped" +
          (walks_tiles(plan) ? "\n" : "; the forward goes by rows instead\n");
  if (plan.decodes_any()) text += "grouped rows: " + grouped_rows_text(plan) + "\n";
  text += work_text(plan) + "\n";
  text += "memory: " + bytes_text(result_bytes(plan)) + " of results, " +
          bytes_text(workspace_bytes(plan, threads)) + " besides, on " + number(threads) +
          (threads == 1 ? " thread" : " threads") + "; the backward takes " +
          bytes_text(backward_bytes(plan, threads)) + " besides the gradients\n";
  for (const std::string& reason : reasons_of(plan)) text += "why: " + reason + "\n";
  for (const std::string& extra : extras_of(plan)) text += "beyond the fused pass: " + extra + "\n";
  for (const std::string& warning : warnings_of(plan)) text += "warning: " + warning + "\n";
  return text;
} catch (...) {
  rethrow_as_error("Plan::explain");
}

std::string Plan::to_json() const try {
  const PlanData& plan = *data_;
  const TileCounts tiles = count_tiles(plan);
  const int threads = threads_of(plan);
  const Json json = {
      {"schema", "foveal.plan/1"},
      {"shape", shape_json(plan.problem)},
      {"dtype", to_string(plan.problem.dtype)},
      {"mask", to_string(plan.options.mask)},
      {"places", places_json(plan.options)},
      {"target", plan.target->name},
      {"threads", threads},
      {"tiles",
       {{"queries", plan.query_tile},
        {"keys", kPlanKeyTile},
        {"full", tiles.full},
        {"partial", tiles.partial},
        {"empty", tiles.all - tiles.full - tiles.partial}}},
      {"grouped_rows", grouped_rows_json(plan)},
      {"work", work_json(plan)},
      {"memory",
       {{"result_bytes", static_cast<std::int64_t>(result_bytes(plan))},
        {"workspace_bytes", static_cast<std::int64_t>(workspace_bytes(plan, threads))},
        {"backward_bytes", static_cast<std::int64_t>(backward_bytes(plan, threads))}}},
      {"fused", extras_of(plan).empty()},
      {"reasons", reasons_of(plan)},
      {"beyond_fused", extras_of(plan)},
      {"warnings", warnings_of(plan)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
} catch (...) {
  rethrow_as_error("Plan::to_json");
}

}  // namespace foveal
