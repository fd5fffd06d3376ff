#include "trace/views/page/matrices.h"

namespace foveal::trace {

std::vector<Shown> page_matrices(const Record& record) {
  const Input& input = record.input;
  std::vector<Shown> matrices;
  const auto parameter = [&](const char* name, const Tensor& data) {
    if (data.defined()) matrices.push_back(shown_parameter(name, data));
  };
  for (const Step& step : record.steps) {
    if (step.name == StepName::queries) {
      parameter("W_query", input.W_query);
      parameter("b_query", input.b_query);
    } else if (step.name == StepName::keys) {
      parameter("W_key", input.W_key);
      parameter("b_key", input.b_key);
    } else if (step.name == StepName::values) {
      parameter("W_value", input.W_value);
      parameter("b_value", input.b_value);
    } else if (step.name == StepName::output) {
      parameter("W_out", input.W_out);
      parameter("b_out", input.b_out);
    }
    matrices.push_back(shown_step(record, step));
  }
  return matrices;
}

}  // namespace foveal::trace
