#include "kernels/targets/avx512_bf16_words.h"

#include "kernels/half_backward.h"
#include "kernels/half_decode.h"
#include "kernels/half_forward.h"
#include "kernels/half_peak.h"
#include "kernels/targets/target.h"

namespace foveal {

const Target& avx512_bf16_target() noexcept {
  // avx512's table as it is: compiling those kernels again would give the same ones.
  static const Target target = []() noexcept {
    Target made = avx512_target();
    made.name = "avx512_bf16";
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
