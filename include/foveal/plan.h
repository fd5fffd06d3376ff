#pragma once
// What an attention call will run, before it runs: target, tiles, work, memory, and why.

#include <memory>
#include <string>

#include "foveal/attention.h"

namespace foveal {

struct PlanData;

/// A plan for shapes, dtype and options. It holds the mask bound to its lengths, cut into tiles, so
/// that a plan that is run many times pays for that once. So the mask is a snapshot: what is
/// written to a dense mask's tensor after planning changes no run. bias, alibi_slopes, sinks and
/// dropout_mask are held as handles and read at each run: what is written to them before a run
/// counts in it. Const use from several threads is safe.
class Plan {
 public:
  explicit Plan(std::shared_ptr<const PlanData> data) : data_(std::move(data)) {}

  /// A few lines in words.
  std::string explain() const;
  std::string to_json() const;
  /// As attention(query, key, value, options) does, but that nothing is recorded. Throws Error
  /// where a shape or dtype is another than the plan's.
  AttentionResult run(const Tensor& query, const Tensor& key, const Tensor& value) const;

  const PlanData& data() const { return *data_; }

 private:
  std::shared_ptr<const PlanData> data_;
};

/// query (B, H, L_q, D), key (B, H_kv, L_k, D), value (B, H_kv, L_k, D_v). Throws Error for shapes,
/// dtype and options that don't fit, and for shapes so large that the plan's counts pass 63 bits or
/// its lists the memory.
Plan plan_attention(const Shape& query, const Shape& key, const Shape& value, DType dtype,
                    const AttentionOptions& options = {});

}  // namespace foveal
