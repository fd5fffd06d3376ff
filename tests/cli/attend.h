#pragma once
// foveal attend on files of three small tensors.

#include "cli/command.h"
#include "foveal/attention.h"
#include "foveal/npy.h"
#include "foveal/operations.h"

namespace foveal {

class Attend : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    q_ = save("q", pattern({2, 4, 6, 8}));
    k_ = save("k", pattern({2, 2, 9, 8}));
    v_ = save("v", pattern({2, 2, 9, 5}));
  }

  static Tensor pattern(const Shape& shape) {
    Tensor tensor = Tensor::zeros(shape);
    for (std::int64_t n = 0; n < tensor.element_count(); ++n) {
      tensor.data<float>()[n] = static_cast<float>((n * 37 + shape[0] * 11) % 101) / 50 - 1;
    }
    return tensor;
  }

  std::string save(const std::string& name, const Tensor& tensor) const {
    save_npy(path(name + ".npy"), tensor);
    return path(name + ".npy");
  }

  std::vector<std::string> with(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"attend", q_, k_, v_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  AttentionResult expected(AttentionOptions options = {}) const {
    options.return_lse = options.return_weights = true;
    return attention(load_npy(q_), load_npy(k_), load_npy(v_), options);
  }

  std::string q_, k_, v_;
};

}  // namespace foveal
