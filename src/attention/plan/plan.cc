#include <algorithm>
#include <cmath>
#include <numeric>

#include "attention/plan/fingerprint.h"
#include "attention/plan/plan_data.h"
#include "core/door.h"
#include "core/memory.h"
#include "foveal/error.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

std::int64_t tiles_in(const std::vector<TileRun>& runs) {
  std::int64_t count = 0;
  for (const TileRun& run : runs) count += run.last - run.first;
  return count;
}

/// Throws Error where a sequence's lists of tiles wouldn't fit in memory.
void check_lists(const SequencePlan& plan, const Problem& problem) {
  constexpr std::size_t kBytesOfATile =
      sizeof(std::vector<TileRun>) + sizeof(TileRun) + 2 * sizeof(std::int64_t);
  const auto [batch, heads] = plan.mask->planes();
  const double bytes = static_cast<double>(batch) * static_cast<double>(heads) *
                       static_cast<double>(plan.query_tiles) * static_cast<double>(kBytesOfATile);
  constexpr double kAlwaysThere = 1 << 24;  // asking for the memory takes longer than most plans
  if (bytes <= kAlwaysThere || bytes <= static_cast<double>(usable_memory())) return;
  throw Error("attention: query has shape (" + std::to_string(problem.batch) + ", " +
              std::to_string(problem.heads) + ", " + std::to_string(problem.query_length) + ", " +
              std::to_string(problem.head_size) + "): a plan of its " +
              std::to_string(plan.query_tiles) +
              " tiles of queries doesn't fit in memory; ask for less at a time");
}

/// Throws Error where the results' bytes are beyond counting.
void check_results(const PlanData& plan) {
  if (result_bytes(plan) < 0x1p63) return;
  throw Error("attention: results of output " + to_string(plan.problem.output_shape()) +
              " with the weights and statistics that are asked for have more bytes than 63 bits "
              "can count; ask for less");
}

MaskShape mask_shape(const Problem& problem, const Sequence& sequence) {
  MaskShape shape{problem.batch, problem.heads, sequence.query_length, sequence.key_length};
  shape.unused_keys = sequence.unused_keys;
  shape.key_place = sequence.key_place;
  shape.query_place = sequence.query_place;
  shape.first_entry = sequence.first_entry;
  shape.entries = sequence.entries;
  return shape;
}

/// Whether the rows of a KV head go through its keys together: very few, or too few queries to fill
/// a tile head by head, where there are other heads to fill it with, or keys enough to be split.
bool goes_together(const Sequence& sequence, std::int64_t rows, const Problem& problem,
                   const AttentionOptions& options, std::int64_t query_tile) {
  if (rows < 1 || gathers_rows(options)) return false;
  constexpr std::int64_t kVeryFew = 8;
  if (rows <= kVeryFew) return true;
  if (sequence.query_length >= query_tile) return false;
  return problem.group() > 1 || sequence.key_length > kDecodeSplit;
}

SequencePlan plan_sequence(const Sequence& sequence, const Problem& problem,
                           const AttentionOptions& options, std::int64_t query_tile) {
  SequencePlan plan;
  plan.sequence = sequence;
  const MaskShape shape = mask_shape(problem, sequence);
  plan.mask = options.mask.node().bind(shape);
  plan.query_tiles = (sequence.query_length + query_tile - 1) / query_tile;
  check_lists(plan, problem);
  const std::int64_t rows = problem.group() * sequence.query_length;
  plan.decode = goes_together(sequence, rows, problem, options, query_tile);
  const auto [batch, heads] = plan.mask->planes();
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t h = 0; h < heads; ++h) {
      const std::size_t begin = plan.runs.size();
      for (std::int64_t first = 0; first < shape.query_length; first += query_tile) {
        const std::int64_t last = std::min(first + query_tile, shape.query_length);
        plan.runs.push_back(
            tile_runs(*plan.mask, sequence.first_entry + b, h, first, last, kPlanKeyTile));
      }
      std::vector<std::int64_t> order(static_cast<std::size_t>(plan.query_tiles)), work;
      std::iota(order.begin(), order.end(), 0);
      for (std::size_t tile = begin; tile < plan.runs.size(); ++tile) {
        work.push_back(tiles_in(plan.runs[tile]));
      }
      std::stable_sort(order.begin(), order.end(), [&work](std::int64_t a, std::int64_t c) {
        return work[static_cast<std::size_t>(a)] > work[static_cast<std::size_t>(c)];
      });
      plan.order.push_back(std::move(order));
    }
  }
  return plan;
}

}  // namespace

bool PlanData::decodes_all() const {
  return std::all_of(sequences.begin(), sequences.end(),
                     [](const SequencePlan& sequence) { return sequence.decode; });
}

bool PlanData::decodes_any() const {
  return std::any_of(sequences.begin(), sequences.end(),
                     [](const SequencePlan& sequence) { return sequence.decode; });
}

bool PlanData::widens_rows() const {
  constexpr std::int64_t kMostNumbers = 1 << 21;  // of a head, which each thread keeps
  std::int64_t keys = 0;
  for (const SequencePlan& sequence : sequences) {
    if (!sequence.decode) keys = std::max(keys, sequence.sequence.key_length);
  }
  return size_of(problem.dtype) == 2 && !pair_products() && !decodes_all() &&
         !gathers_rows(options) && keys * (problem.head_size + problem.value_size) <= kMostNumbers;
}

bool PlanData::pair_products() const {
  // Products of bfloat16 take subnormal sums for 0, which a scale may make large.
  constexpr double kMostScale = 0x1p40;
  return problem.dtype == DType::bfloat16 && std::fabs(options.scale.value_or(1)) <= kMostScale &&
         target->forward_bfloat16.tile != nullptr && !gathers_rows(options);
}

std::shared_ptr<PlanData> make_plan(const Shape& query, const Shape& key, const Shape& value,
                                    DType dtype, const AttentionOptions& options,
                                    const Target* target) {
  auto data = std::make_shared<PlanData>();
  data->problem = check_problem(query, key, value, dtype, options);
  const std::vector<Sequence> sequences = sequences_of(data->problem, options);
  check_score_tensors(options, data->problem, sequences);
  data->options = options;
  data->target = target != nullptr ? target : &find_target(options.target);
  data->query_tile = dtype == DType::float64 ? data->target->forward_float64.query_tile
                                             : data->target->forward_float32.query_tile;
  check_results(*data);
  const bool named = is_packed(options) || sequences.size() > 1;
  for (const Sequence& sequence : sequences) {
    try {
      data->sequences.push_back(plan_sequence(sequence, data->problem, options, data->query_tile));
    } catch (const Error& error) {
      if (!named) throw;
      throw Error(name_of_sequence(options, sequence, data->sequences.size()) + ": " + error.what(),
                  error.kind());
    }
  }
  data->tiled = WorkList(data->problem, data->sequences, false);
  data->decoded = DecodeList(data->problem, data->sequences, data->query_tile);
  data->all = WorkList(data->problem, data->sequences, true);
  data->fingerprint = fingerprint_of(*data);
  data->most_keys = data->problem.key_length;
  return data;
}

Plan plan_attention(const Shape& query, const Shape& key, const Shape& value, DType dtype,
                    const AttentionOptions& options) try {
  return Plan(make_plan(query, key, value, dtype, options));
} catch (...) {
  rethrow_as_error("plan_attention");
}

void Plan::set_lengths(std::int64_t key_length, const std::vector<std::int64_t>& key_lengths) try {
  const Problem& p = data_->problem;
  if (is_packed(data_->options)) {
    throw Error(
        "Plan::set_lengths: the plan is for packed sequences, whose lengths are key_starts: make "
        "another plan");
  }
  if (key_length < 0 || key_length > data_->most_keys) {
    throw Error("Plan::set_lengths: key_length is " + std::to_string(key_length) +
                ": it must be from 0 to " + std::to_string(data_->most_keys) +
                ", the L_k that the plan was made for");
  }
  AttentionOptions options = data_->options;
  options.key_lengths = key_lengths;
  const Shape query{p.batch, p.heads, p.query_length, p.head_size};
  const Shape key{p.batch, p.kv_heads, key_length, p.head_size};
  const Shape value{p.batch, p.kv_heads, key_length, p.value_size};
  const std::shared_ptr<PlanData> data =
      make_plan(query, key, value, p.dtype, options, data_->target);
  data->most_keys = data_->most_keys;
  data_ = data;
} catch (...) {
  rethrow_as_error("Plan::set_lengths");
}

Work count_work(const PlanData& plan) {
  Work work;
  const Problem& problem = plan.problem;
  for (const SequencePlan& sequence : plan.sequences) {
    const std::int64_t queries = sequence.sequence.query_length;
    const std::int64_t keys = sequence.sequence.key_length;
    const std::int64_t entries = sequence.sequence.entries;
    const BoundMask& mask = *sequence.mask;
    const auto [batch, heads] = mask.planes();
    if (batch == 0) continue;
    const std::int64_t copies = entries / batch * (problem.heads / heads);
    for (std::int64_t plane = 0; plane < batch; ++plane) {
      const std::int64_t b = sequence.sequence.first_entry + plane;
      for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t tile = 0; tile < sequence.query_tiles; ++tile) {
          const std::int64_t first = tile * plan.query_tile;
          const std::int64_t last = std::min(first + plan.query_tile, queries);
          work.needed_pairs += copies * visible_pairs(mask, b, h, first, last);
          for (const TileRun& run : sequence.runs_of(b, h, tile)) {
            const std::int64_t end = std::min(run.last * kPlanKeyTile, keys);
            work.computed_pairs += copies * (last - first) * (end - run.first * kPlanKeyTile);
          }
        }
      }
    }
    work.all_pairs += entries * problem.heads * queries * keys;
  }
  return work;
}

}  // namespace foveal
