#include "kernels/targets/avx512_bf16_words.h"

#include "kernels/backward/pair_backward.h"
#include "kernels/decode/pair_decode.h"
#include "kernels/forward/pair_forward.h"
#include "kernels/halves/pair_peak.h"
#include "kernels/products/pair_gemm.h"
#include "kernels/targets/target.h"

namespace foveal {

const Target& avx512_bf16_target() noexcept {
  // avx512's table as it is: compiling those kernels again would give the same ones.
  static const Target target = []() noexcept {
    Target made = avx512_target();
    made.name = "avx512_bf16";
    made.gemm_bfloat16 = {kPanelColumns<float>, Pairs::kNumbers, pair_turn, pair_pack, gemm<Pairs>};
    made.peak_bfloat16 = {kPairPeakOperations, multiply_add_pairs};
    made.forward_bfloat16 = {PairState::size, pair_forward_begin, pair_forward_tile,
                             pair_forward_end};
    made.backward_bfloat16 = {PairBackwardState::size, pair_block_begin,  pair_backward_begin,
                              pair_backward_tile,      pair_backward_end, pair_block_end};
    made.decode_bfloat16 = decode<Pairs>;
    return made;
  }();
  return target;
}

}  // namespace foveal
