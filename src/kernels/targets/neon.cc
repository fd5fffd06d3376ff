#include "kernels/targets/neon_words.h"

#include "kernels/targets/table.h"

namespace foveal {

const Target& neon_target() noexcept {
  static constexpr Target target = make_target("neon");
  return target;
}

}  // namespace foveal
