#include "kernels/targets/avx512_words.h"

#include "kernels/targets/table.h"

namespace foveal {

const Target& avx512_target() noexcept {
  static constexpr Target target = make_target("avx512");
  return target;
}

}  // namespace foveal
