#include "foveal/state_dict.h"

namespace foveal {

const Tensor* find(const StateDict& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return &tensor;
  }
  return nullptr;
}

}  // namespace foveal
