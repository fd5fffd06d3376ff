#pragma once
// Results in memory of the caller's or our own: checked, or made, before any work.

#include <array>
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

/// run(). Where it throws, those of `parts` that weren't there are undefined again: what the caller
/// gave is all that stays, so that the next call may have it.
template <class Run>
void run_or_undo(const std::array<Tensor*, 3>& parts, const Run& run) {
  std::array<bool, 3> given;
  for (std::size_t n = 0; n < parts.size(); ++n) given[n] = parts[n]->defined();
  try {
    run();
  } catch (...) {
    for (std::size_t n = 0; n < parts.size(); ++n) {
      if (!given[n]) *parts[n] = Tensor();
    }
    throw;
  }
}

/// What is given and what was computed become one: numbers go to where the caller wants them.
void give_statistics(Statistics& given, const Statistics& computed);

/// A tensor and what it is called in errors.
struct NamedTensor {
  const char* name;
  const Tensor* tensor;
};

/// All that a forward pass reads.
std::array<NamedTensor, 7> tensors_read(const PlanData& plan, const CallInputs& inputs);

/// A tensor that may be given to be written. Nothing here takes memory: a repeated run makes none.
struct WrittenTensor {
  const char* name;
  const Tensor* tensor;
  bool asked;
  std::array<std::int64_t, 4> sizes;
  std::size_t rank;
  DType dtype;

  /// With the shape and dtype of `like`, which may be undefined where it isn't asked for.
  static WrittenTensor shaped_like(const Tensor& like, const char* name, const Tensor& tensor,
                                   bool asked);
};

/// Where what is written stands, for errors: "result." and "the options".
struct WrittenPlace {
  const char* prefix;
  const char* asked_in;
};

/// Checks those that are given: asked for, of the right shape, dtype and strides, not read-only,
/// and apart from all that is read, from one another, and each row from the next.
void check_written(std::span<const WrittenTensor> written, std::span<const NamedTensor> read,
                   const WrittenPlace& place, const char* function);

/// Bytes of those that are asked for and not given.
double bytes_to_make(std::span<const WrittenTensor> written);

/// The caller's tensor has been written through a pointer.
void count_write(const Tensor& tensor);

/// Throws Error where `bytes` are more than this process may use.
void require_memory(double results, double workspace, const char* function);

}  // namespace foveal
