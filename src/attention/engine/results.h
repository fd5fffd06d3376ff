#pragma once
// Results in memory of the caller's or our own: checked, or made, before any work.

#include <span>

#include "attention/plan/plan_data.h"

namespace foveal {

/// The tensors that a call reads.
struct CallInputs {
  const Tensor& query;
  const Tensor& key;
  const Tensor& value;
};

/// Checks what is there of `result`, and makes output, lse and weights where they are asked for, or
/// lse where the second pass needs it. `function` stands in errors. Throws Error where one is given
/// but not asked for, doesn't fit, is read-only, or shares memory with another or an input; and
/// where what has to be made doesn't fit in memory.
void prepare_results(const PlanData& plan, const CallInputs& inputs, AttentionResult& result,
                     const char* function);

/// What is given and what was computed become one: numbers go to where the caller wants them.
void give_statistics(Statistics& given, const Statistics& computed);

/// Checks a tensor that the caller gives to be written: shape, dtype, strides, memory of its own.
/// `name` and `function` stand in errors.
void check_written(const Tensor& tensor, const char* name, std::span<const std::int64_t> sizes,
                   DType dtype, const char* function);

/// Throws Error where `written` shares memory with `other`.
void check_apart(const Tensor& written, const char* name, const Tensor& other,
                 const char* other_name, const char* function);

/// The caller's tensor has been written through a pointer.
void count_write(const Tensor& tensor);

/// Throws Error where `bytes` are more than this process may use.
void require_memory(double results, double workspace, const char* function);

}  // namespace foveal
