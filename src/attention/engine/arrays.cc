#include "attention/engine/arrays.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/thread_memory.h"
#include "kernels/philox.h"
#include "tensor/numbers.h"
#include "tensor/wide_rows.h"

namespace foveal {

namespace {

std::atomic<std::int64_t> conversions{0};

}  // namespace

Tensor converted(const Tensor& tensor, DType dtype) {
  conversions.fetch_add(1, std::memory_order_relaxed);
  return tensor.to(dtype);
}

std::int64_t conversion_count() { return conversions.load(std::memory_order_relaxed); }

Tensor unit_rows(const Tensor& tensor) {
  const bool unit = tensor.size(-1) == 1 || tensor.strides().back() == 1;
  return unit ? tensor : tensor.contiguous();
}

void check_holds(const Tensor& tensor, const char* name, DType dtype) {
  if (dtype == DType::float64) return;
  if (tensor.dtype() != DType::float64) return;
  const Tensor dense = tensor.contiguous();
  const double* const numbers = dense.data<double>();
  const std::int64_t count = dense.element_count();
  for (std::int64_t n = 0; n < count; ++n) {
    if (float32_holds(numbers[n])) continue;
    refuse_for_float32(std::string(name) + " holds " + number_text(numbers[n]));
  }
}

namespace {

/// The largest |i' - j|, plus 1.
std::int64_t longest_distance(const PlanData& plan) {
  std::int64_t longest = 0;
  for (const SequencePlan& each : plan.sequences) {
    const Sequence& sequence = each.sequence;
    longest = std::max({longest, sequence.offset() + sequence.query_length,
                        sequence.key_length - sequence.offset()});
  }
  return longest;
}

template <class T>
void check_slopes(const T* slopes, const PlanData& plan) {
  const std::int64_t longest = longest_distance(plan);
  for (std::int64_t h = 0; h < plan.problem.heads; ++h) {
    const T slope = slopes[h];
    if (!std::isfinite(slope) || std::isfinite(slope * static_cast<T>(longest))) continue;
    throw Error("attention: alibi_slopes holds " + number_text(static_cast<double>(slope)) +
                ": times a distance of up to " + std::to_string(longest) +
                " it is too large for the dtype that is computed in: give smaller slopes");
  }
}

/// Element n of a floating tensor of one axis.
double number_at(const Tensor& tensor, std::int64_t n) {
  const std::int64_t at = n * tensor.strides()[0];
  switch (tensor.dtype()) {
    case DType::float64:
      return tensor.data<double>()[at];
    case DType::bfloat16:
      return static_cast<double>(tensor.data<BFloat16>()[at]);
    case DType::float16:
      return static_cast<double>(tensor.data<Float16>()[at]);
    default:
      return tensor.data<float>()[at];
  }
}

/// The elements of an option of one axis as T; null for an undefined tensor.
template <class T>
const T* copied(const Tensor& tensor, const char* name, T* to) {
  if (!tensor.defined()) return nullptr;
  check_holds(tensor, name, dtype_of<T>());
  for (std::int64_t n = 0; n < tensor.size(0); ++n) to[n] = static_cast<T>(number_at(tensor, n));
  return to;
}

}  // namespace

template <class T>
HeadTerms<T> head_terms(const PlanData& plan) {
  const AttentionOptions& options = plan.options;
  if (!options.alibi_slopes.defined() && !options.sinks.defined()) return {};
  const std::int64_t heads = plan.problem.heads;
  const auto bytes = static_cast<std::size_t>(2 * heads) * sizeof(T);
  T* const numbers = static_cast<T*>(thread_block(Kept::terms, bytes).data);
  const HeadTerms<T> terms{copied(options.alibi_slopes, "alibi_slopes", numbers),
                           copied(options.sinks, "sinks", numbers + heads)};
  if (terms.slopes != nullptr) check_slopes(terms.slopes, plan);
  return terms;
}

template HeadTerms<float> head_terms(const PlanData&);
template HeadTerms<double> head_terms(const PlanData&);

void check_terms(const PlanData& plan) {
  const DType dtype = wide_dtype(plan.problem.dtype);
  if (plan.options.bias.defined()) check_holds(plan.options.bias, "bias", dtype);
  if (dtype == DType::float64) {
    head_terms<double>(plan);
  } else {
    head_terms<float>(plan);
  }
}

double scale_of(const PlanData& plan) {
  return plan.options.scale.value_or(1 / std::sqrt(static_cast<double>(plan.problem.head_size)));
}

HeadDropout::HeadDropout(const PlanData& plan)
    : drops_(drops_weights(plan.options)), heads_(plan.problem.heads) {
  const AttentionOptions& options = plan.options;
  counter_.key = dropout_key(options.seed, options.offset);
  counter_.offset = options.offset;
  counter_.threshold = static_cast<std::uint64_t>(std::ceil(options.dropout * 4294967296.0));
  counter_.scale = options.dropout < 1 ? 1 / (1 - options.dropout) : 0;
  if (!options.dropout_mask.defined()) return;
  mask_ = options.dropout_mask;
  kept_ = broadcast_heads<bool>(mask_);
  counter_.kept_query_stride = kept_.strides[2];
  counter_.kept_key_stride = kept_.strides[3];
  // In a packed batch an axis of its own is as long as each sequence.
  const bool broadcast = mask_.rank() < 2 || mask_.size(-2) == 1;
  counter_.query_length = broadcast ? plan.problem.query_length : mask_.size(-2);
}

DropoutCounter HeadDropout::of(const Sequence& sequence, std::int64_t b, std::int64_t h) const {
  DropoutCounter counter = counter_;
  counter.first_key = sequence.key_place;
  counter.first_query = sequence.query_place.value_or(0);
  counter.head = static_cast<std::uint64_t>(b * heads_ + h);
  if (kept_.data != nullptr) counter.kept = kept_.row(b, h, 0);
  return counter;
}

}  // namespace foveal
