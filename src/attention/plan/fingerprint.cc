#include "attention/plan/fingerprint.h"

#include <cmath>
#include <string>

#include "core/hash.h"
#include "foveal/error.h"

namespace foveal {
namespace {

std::uint64_t mask_of(const PlanData& plan) {
  Hash hash;
  for (const SequencePlan& sequence : plan.sequences) hash.add(sequence.mask->fingerprint());
  return hash.value();
}

std::uint64_t places_of(const PlanData& plan) {
  const auto& [b, h, kv, l_q, l_k, d, d_v, dtype] = plan.problem;
  Hash hash;
  for (const std::int64_t size : {b, h, kv, l_q, l_k, d, d_v}) hash.add(size);
  hash.add(static_cast<std::int64_t>(dtype));
  for (const SequencePlan& each : plan.sequences) {
    const Sequence& s = each.sequence;
    for (const std::int64_t number : {s.first_query, s.query_length, s.first_key, s.key_length,
                                      s.first_entry, s.entries, s.key_place, s.offset()}) {
      hash.add(number);
    }
  }
  return hash.value();
}

std::uint64_t terms_of(const PlanData& plan) {
  const AttentionOptions& options = plan.options;
  Hash hash;
  const auto d = static_cast<double>(plan.problem.head_size);
  hash.add(options.scale.value_or(1 / std::sqrt(d))).add(options.softcap);
  hash.add(options.bias.defined()).add(options.alibi_slopes.defined());
  hash.add(options.sinks.defined());
  if (options.bias.defined()) hash.add_all(options.bias.shape());
  return hash.value();
}

std::uint64_t dropout_of(const PlanData& plan) {
  const AttentionOptions& options = plan.options;
  Hash hash;
  hash.add(options.dropout).add(options.dropout_mask.defined());
  if (options.dropout > 0) hash.add(options.seed).add(options.offset);
  if (options.dropout > 0 && !options.dropout_mask.defined()) {
    // Draws count queries from the place that was given, or from 0.
    for (const SequencePlan& each : plan.sequences) {
      hash.add(each.sequence.query_place.value_or(0));
    }
  }
  return hash.value();
}

}  // namespace

PlanFingerprint fingerprint_of(const PlanData& plan) {
  return {mask_of(plan), places_of(plan), terms_of(plan), dropout_of(plan)};
}

void check_fingerprint(const PlanData& plan, const AttentionResult& result, const char* function) {
  const PlanFingerprint &given = result.plan, &own = plan.fingerprint;
  if (given == PlanFingerprint() || given == own) return;
  const std::pair<bool, const char*> all[] = {
      {given.places != own.places, "shapes, lengths or offsets"},
      {given.mask != own.mask, "mask"},
      {given.terms != own.terms, "scale, softcap, bias, slopes or sinks"},
      {given.dropout != own.dropout, "dropout"}};
  std::string differing;
  for (const auto& [differs, name] : all) {
    if (differs) differing += std::string(differing.empty() ? "" : "; ") + name;
  }
  throw Error(std::string(function) + ": result comes from a call that differs in: " + differing +
              ": give the options that it was computed with");
}

}  // namespace foveal
