// Forward and backward.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "call.h"
#include "results.h"
#include "torch_tensors.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace foveal::python {
namespace {

/// A kind that Python gives is one of Kind's.
Kind kind_of(int kind) { return kind == 0 ? Kind::numpy : Kind::torch; }

nb::object forward(const Settings& settings, nb::handle query, nb::handle key, nb::handle value,
                   int kind, int threads, nb::handle out, nb::handle bias, nb::handle alibi_slopes,
                   nb::handle sinks, nb::handle mask_arrays, std::uint64_t seed) {
  Call call(settings, {bias, alibi_slopes, sinks, mask_arrays}, seed, threads);
  const Inputs inputs(call.arrays, query, key, value);
  settings.check_lists(inputs.batch());
  AttentionResult result;
  result.output = call.arrays.write(out, "out");
  {
    const nb::gil_scoped_release released;
    attention_into(result, inputs.query, inputs.key, inputs.value, call.options);
  }
  const AttentionOptions& asked = call.options;
  const StatisticsOptions& s = asked.statistics;
  if (!asked.return_lse && !asked.return_weights && s.top_k == 0 && !s.entropy && !s.maximum &&
      !s.column_mass && s.rows.empty()) {
    return out.is_none() ? to_python(result.output, kind_of(kind)) : nb::borrow(out);
  }
  return to_python(result, kind_of(kind));
}

/// (query, key, value, bias, alibi_slopes, sinks), the last three None where not asked for. With
/// `gradients` (three arrays) the first three are written there.
nb::tuple backward(const Settings& settings, nb::handle grad_output, nb::handle query,
                   nb::handle key, nb::handle value, nb::handle output, nb::handle lse, int kind,
                   int threads, nb::handle bias, nb::handle alibi_slopes, nb::handle sinks,
                   nb::handle mask_arrays, std::uint64_t seed, bool bias_gradient,
                   bool alibi_gradient, bool sinks_gradient, nb::handle gradients_out) {
  Call call(settings, {bias, alibi_slopes, sinks, mask_arrays}, seed, threads);
  call.options.return_lse = true;
  call.options.return_weights = false;
  call.options.statistics = {};
  call.options.gradients = {bias_gradient, sinks_gradient, alibi_gradient};
  Tensor grad = call.arrays.read(grad_output, "grad_output");
  const Inputs inputs(call.arrays, query, key, value);
  settings.check_lists(inputs.batch());
  AttentionResult result;
  result.output = call.arrays.read(output, "output");
  result.lse = call.arrays.read(lse, "lse");
  AttentionGradients gradients;
  if (!gradients_out.is_none()) {
    gradients.q = call.arrays.write(gradients_out[0], "gradients[0]");
    gradients.k = call.arrays.write(gradients_out[1], "gradients[1]");
    gradients.v = call.arrays.write(gradients_out[2], "gradients[2]");
  }
  {
    const nb::gil_scoped_release released;
    // The gradient of a sum is one number at every place: strides of 0.
    if (grad.rank() > 0 && grad.size(-1) > 1 && grad.strides().back() != 1) {
      grad = grad.contiguous();
    }
    attention_backward_into(gradients, grad, inputs.query, inputs.key, inputs.value, result,
                            call.options);
  }
  const Kind made = kind_of(kind);
  const auto given = [&](int place, const Tensor& gradient) {
    return gradients_out.is_none() ? to_python(gradient, made) : nb::object(gradients_out[place]);
  };
  return nb::make_tuple(given(0, gradients.q), given(1, gradients.k), given(2, gradients.v),
                        to_python(gradients.bias, made), to_python(gradients.alibi_slopes, made),
                        to_python(gradients.sinks, made));
}

std::vector<std::string> lint_mask(const std::string& text, const nb::handle arrays,
                                   std::int64_t batch, std::int64_t query_length,
                                   std::int64_t key_length) {
  Borrowed borrowed;
  std::vector<std::string> texts;
  const Mask mask = mask_of(text, arrays, borrowed);
  for (const MaskWarning& warning : lint(mask, batch, query_length, key_length)) {
    texts.push_back(warning.text);
  }
  return texts;
}

}  // namespace

void bind_attention(nb::module_& module) {
  using Numbers = Settings::Numbers;
  nb::class_<Settings>(module, "Settings", "A call's options but for its arrays.")
      .def(nb::init<std::string, std::optional<double>, double, double, std::uint64_t, bool, bool,
                    int, bool, bool, bool, std::vector<std::int64_t>, Numbers,
                    std::optional<std::int64_t>, Numbers, std::int64_t, Numbers, Numbers,
                    std::string, bool>(),
           "mask"_a, "scale"_a.none(), "softcap"_a, "dropout"_a, "offset"_a, "return_lse"_a,
           "return_weights"_a, "top_k"_a, "entropy"_a, "maximum"_a, "column_mass"_a, "rows"_a,
           "key_lengths"_a.none(), "query_offset"_a.none(), "query_offsets"_a.none(),
           "key_offset"_a, "query_starts"_a.none(), "key_starts"_a.none(), "target"_a, "strict"_a);
  module.def("set_torch", &set_torch, "to_dlpack"_a, "from_dlpack"_a, "exchange"_a.none());
  module.def("empty_like", &empty_like_torch, "like"_a, "strides"_a);
  module.def("forward", &forward, "settings"_a, "query"_a, "key"_a, "value"_a, "kind"_a,
             "threads"_a, "out"_a.none() = nb::none(), "bias"_a.none() = nb::none(),
             "alibi_slopes"_a.none() = nb::none(), "sinks"_a.none() = nb::none(),
             "mask_arrays"_a = nb::make_tuple(), "seed"_a = 0);
  module.def("backward", &backward, "settings"_a, "grad_output"_a, "query"_a, "key"_a, "value"_a,
             "output"_a, "lse"_a, "kind"_a, "threads"_a, "bias"_a.none() = nb::none(),
             "alibi_slopes"_a.none() = nb::none(), "sinks"_a.none() = nb::none(),
             "mask_arrays"_a = nb::make_tuple(), "seed"_a = 0, "bias_gradient"_a = false,
             "alibi_gradient"_a = false, "sinks_gradient"_a = false,
             "gradients"_a.none() = nb::none());
  module.def("lint_mask", &lint_mask, "text"_a, "arrays"_a, "batch"_a, "query_length"_a,
             "key_length"_a);
}

}  // namespace foveal::python
