#include "trace/views/page/matrices.h"

#include "trace/input/sizes.h"

namespace foveal::trace {

std::vector<Shown> page_matrices(const Record& record) {
  std::vector<Shown> matrices;
  const auto parameter = [&](const std::string& name, const Tensor& data) {
    if (data.defined()) matrices.push_back(shown_parameter(name, data));
  };
  for (const Step& step : record.steps) {
    if (const auto one = projection_of(record.input, step.name)) {
      parameter("W_" + one->name, one->weight);
      parameter("b_" + one->name, one->bias);
    }
    matrices.push_back(shown_step(record, step));
  }
  return matrices;
}

}  // namespace foveal::trace
