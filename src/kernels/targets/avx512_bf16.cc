#include "kernels/targets/avx512_bf16_words.h"

#include "kernels/half_backward.h"
#include "kernels/half_decode.h"
#include "kernels/half_forward.h"
#include "kernels/half_peak.h"
#include "kernels/targets/table.h"

namespace foveal {

const Target& avx512_bf16_target() {
  static constexpr Target target = [] {
    Target made = make_target("avx512_bf16");
    made.peak_bfloat16 = {kPairPeakOperations, multiply_add_pairs};
    made.half_forward = {HalfState::size, half_begin, half_tile, half_end};
    made.half_backward = {HalfBackwardState::size, half_block_begin,  half_backward_begin,
                          half_backward_tile,      half_backward_end, half_block_end};
    made.decode_bfloat16 = half_decode;
    return made;
  }();
  return target;
}

}  // namespace foveal
