#include "kernels/targets/avx2_words.h"

#include "kernels/targets/table.h"

namespace foveal {

const Target& avx2_target() noexcept {
  static constexpr Target target = make_target("avx2");
  return target;
}

}  // namespace foveal
