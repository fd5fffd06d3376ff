#pragma once
// The kernels of the target whose words have been included, as a table.

#include "kernels/backward/backward.h"
#include "kernels/decode/decode.h"
#include "kernels/exponentials.h"
#include "kernels/forward/partial.h"
#include "kernels/halves/convert.h"
#include "kernels/peak.h"
#include "kernels/products/dots.h"
#include "kernels/products/gemm.h"
#include "kernels/targets/target.h"

namespace foveal {
namespace {

template <class T>
constexpr ForwardKernels<T> forward_kernels() {
  return {kQueryTile<T>,   kKeptBytes,         ForwardState<T>::size, forward_begin<T>,
          forward_tile<T>, forward_end<T>,     forward_end_state<T>,  weights_begin<T>,
          weights_tile<T>, weights_factors<T>, scores_begin<T>,       scores_tile<T>};
}

template <class T>
constexpr GemmKernels<T> gemm_kernels() {
  return {kPanelColumns<T>, 1, gemm_turn<T>, gemm_pack<T>, gemm<Plain<T>>};
}

template <class T>
constexpr BackwardKernels<T> backward_kernels() {
  return {BackwardState<T>::size, backward_block_begin<T>, backward_begin<T>,
          backward_tile<T>,       backward_end<T>,         backward_block_end<T>};
}

// bfloat16 is widened, so that its products are float32's.
constexpr PeakKernel kPeak = {kPeakOperations, multiply_adds};

constexpr Target make_target(const char* name) {
  return {name,
          {widen<BFloat16Bits>, narrow<BFloat16Bits>},
          {widen<Float16Bits>, narrow<Float16Bits>},
          {exponentials<float>, softmax<float, false>},
          {exponentials<double>, softmax<double, false>},
          softmax<float, true>,
          gemm_kernels<float>(),
          gemm_kernels<double>(),
          {},
          dots<float, float>,
          dots<float, BFloat16Bits>,
          dots<float, Float16Bits>,
          dots<double, double>,
          forward_kernels<float>(),
          forward_kernels<double>(),
          backward_kernels<float>(),
          backward_kernels<double>(),
          decode<Plain<float>>,
          decode<Plain<float, BFloat16Bits>>,
          decode<Plain<float, Float16Bits>>,
          decode<Plain<double>>,
          kPeak,
          kPeak,
          read_numbers,
          {},
          {}};
}

}  // namespace
}  // namespace foveal
