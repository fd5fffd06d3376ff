#include "kernels/targets/portable_words.h"

#include "kernels/targets/table.h"

namespace foveal {

const Target& portable_target() noexcept {
  static constexpr Target target = make_target("portable");
  return target;
}

}  // namespace foveal
