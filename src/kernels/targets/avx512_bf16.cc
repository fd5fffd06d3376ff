#include "kernels/targets/avx512_bf16_words.h"

#include "kernels/half_forward.h"
#include "kernels/half_peak.h"
#include "kernels/targets/table.h"

namespace foveal {

const Target& avx512_bf16_target() {
  static constexpr Target target = [] {
    Target made = make_target("avx512_bf16");
    made.peak_bfloat16 = {kPairPeakOperations, multiply_add_pairs};
    made.half_forward = {HalfState::size, half_begin, half_tile, half_end};
    return made;
  }();
  return target;
}

}  // namespace foveal
