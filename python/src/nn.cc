// The chapter's classes and the nine variants, their parameters as NumPy arrays. Nothing is
// recorded for a backward.

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arrays.h"
#include "bindings.h"
#include "call.h"
#include "core/call_scope.h"
#include "foveal/autograd.h"
#include "foveal/error.h"
#include "foveal/nn/attention.h"
#include "foveal/nn/variants.h"
#include "interrupt.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace foveal::python {
namespace {

/// What constructors take, all of them together. Sizes that a class lacks are not read.
struct Sizes {
  int d_in = 0, d_out = 0, context_length = 0;
  double dropout = 0;
  int num_heads = 1;
  bool qkv_bias = false;

  nn::CausalAttentionOptions causal() const {
    return {d_in, d_out, context_length, dropout, qkv_bias};
  }
  nn::MultiHeadAttentionOptions multi_head() const {
    return {d_in, d_out, context_length, dropout, num_heads, qkv_bias};
  }
};

/// A module, and what of its class the others lack.
struct Made {
  std::unique_ptr<nn::Module> module;
  bool* fused = nullptr;                     ///< the chapter's classes
  nn::variants::Variant* variant = nullptr;  ///< the nine
};

template <class Class>
Made chapters(std::unique_ptr<Class> module) {
  bool* const fused = &module->fused;
  return {std::move(module), fused, nullptr};
}

template <class Class>
Made causal_class(const Sizes& sizes) {
  return chapters(std::make_unique<Class>(sizes.causal(), generator()));
}

template <class Class>
Made wrapper(const Sizes& sizes) {
  return chapters(std::make_unique<Class>(sizes.causal(), sizes.num_heads, generator()));
}

Made variant(std::unique_ptr<nn::variants::Variant> module) {
  nn::variants::Variant* const seen = module.get();
  return {std::move(module), nullptr, seen};
}

/// `mask`: of "mask_expression", with `arrays` for its #; the others have theirs.
Made make(const std::string& name, const Sizes& sizes, const Mask& mask) {
  using Maker = Made (*)(const Sizes&);
  static const std::map<std::string, Maker> kChapter = {
      {"SelfAttention_v1",
       [](const Sizes& s) {
         return chapters(std::make_unique<nn::SelfAttention_v1>(s.d_in, s.d_out, generator()));
       }},
      {"SelfAttention_v2",
       [](const Sizes& s) {
         return chapters(
             std::make_unique<nn::SelfAttention_v2>(s.d_in, s.d_out, generator(), s.qkv_bias));
       }},
      {"CausalAttention", causal_class<nn::CausalAttention>},
      {"CausalAttentionWithoutBuffers", causal_class<nn::CausalAttentionWithoutBuffers>},
      {"MultiHeadAttentionWrapper", wrapper<nn::MultiHeadAttentionWrapper>},
      {"MultiHeadAttentionWrapperWithProjection",
       wrapper<nn::MultiHeadAttentionWrapperWithProjection>},
      {"MultiHeadAttention",
       [](const Sizes& s) {
         return chapters(std::make_unique<nn::MultiHeadAttention>(s.multi_head(), generator()));
       }},
  };
  if (const auto found = kChapter.find(name); found != kChapter.end()) return found->second(sizes);
  if (name == "mask_expression") {
    return variant(
        std::make_unique<nn::variants::MaskExpression>(sizes.multi_head(), generator(), mask));
  }
  return variant(nn::variants::make(name, sizes.multi_head(), generator()));
}

/// NumPy has no bfloat16: its bits come as float16, and the name says so.
nb::tuple named_array(const std::string& name, const Tensor& tensor) {
  return nb::make_tuple(name, to_python(tensor, Kind::numpy), to_string(tensor.dtype()));
}

class HeldModule {
 public:
  HeldModule(const std::string& name, int d_in, int d_out, int context_length, double dropout,
             int num_heads, bool qkv_bias, const std::string& mask, nb::handle mask_arrays,
             bool draws)
      : dropout_(dropout) {
    const Generator before = generator().clone();
    made_ = make(name, {d_in, d_out, context_length, dropout, num_heads, qkv_bias},
                 mask_of(mask, mask_arrays, mask_arrays_));
    if (!draws) generator().continue_from(before);
  }

  /// The output, and with `need_weights` the weights averaged over the heads.
  nb::tuple forward(nb::handle x, int threads, bool need_weights) const {
    Borrowed arrays;
    const Tensor input = arrays.read(x, "x");
    std::pair<Tensor, Tensor> result;
    {
      // Dropout draws from the one generator, which the GIL guards.
      std::optional<nb::gil_scoped_release> released;
      if (!made_.module->is_training() || dropout_ == 0) released.emplace();
      Interrupt::begin_call();
      const CallScope call(threads, Interrupt::question(), nullptr);
      const NoGrad off;
      if (need_weights) {
        result = dynamic_cast<const nn::variants::PackedProjection&>(*made_.module)
                     .forward_with_weights(input);
      } else {
        result.first = made_.module->forward(input);
      }
    }
    return nb::make_tuple(to_python(result.first, Kind::numpy),
                          to_python(result.second, Kind::numpy));
  }

  nb::list state() const {
    nb::list entries;
    for (const auto& [name, tensor] : made_.module->state_dict()) {
      entries.append(named_array(name, tensor.clone()));
    }
    return entries;
  }

  void load_state(const std::vector<std::pair<std::string, nb::object>>& given) {
    Borrowed arrays;
    StateDict tensors;
    for (const auto& [name, array] : given) {
      tensors.emplace_back(name, arrays.read(array, name.c_str()));
    }
    made_.module->load_state_dict(tensors);
  }

  void save(const std::string& path) const { made_.module->save(path); }
  void load(const std::string& path) { made_.module->load(path); }
  void to(const std::string& dtype) { made_.module->to(dtype_named(dtype)); }
  void train(bool on) { made_.module->train(on); }
  bool training() const { return made_.module->is_training(); }
  bool fused() const { return made_.fused == nullptr || *made_.fused; }
  void set_fused(bool on) {
    if (made_.fused != nullptr) *made_.fused = on;
  }
  std::int64_t parameter_count() const { return made_.module->parameter_count(); }
  void convert_to(const HeldModule& other) const {
    nn::variants::convert(*made_.variant, *other.made_.variant);
  }

 private:
  Borrowed mask_arrays_;
  Made made_;
  double dropout_;
};

}  // namespace

void bind_nn(nb::module_& module) {
  nb::class_<HeldModule>(module, "Module", "A class of the chapter's, or a variant.")
      .def(nb::init<const std::string&, int, int, int, double, int, bool, const std::string&,
                    nb::handle, bool>(),
           "name"_a, "d_in"_a, "d_out"_a, "context_length"_a, "dropout"_a, "num_heads"_a,
           "qkv_bias"_a, "mask"_a, "mask_arrays"_a, "draws"_a)
      .def("forward", &HeldModule::forward, "x"_a, "threads"_a, "need_weights"_a)
      .def("state", &HeldModule::state)
      .def("load_state", &HeldModule::load_state, "given"_a)
      .def("save", &HeldModule::save, "path"_a)
      .def("load", &HeldModule::load, "path"_a)
      .def("to", &HeldModule::to, "dtype"_a)
      .def("train", &HeldModule::train, "on"_a)
      .def("training", &HeldModule::training)
      .def("fused", &HeldModule::fused)
      .def("set_fused", &HeldModule::set_fused, "on"_a)
      .def("parameter_count", &HeldModule::parameter_count)
      .def("convert_to", &HeldModule::convert_to, "other"_a);
  module.def("variant_names", &nn::variants::names);
}

}  // namespace foveal::python
