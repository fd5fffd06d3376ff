// Numbers in another dtype.

#include <algorithm>

#include "tensor/check.h"
#include "tensor/loops.h"
#include "tensor/numbers.h"
#include "tensor/operation.h"

namespace foveal {
namespace {

/// What a loop writes for a 16-bit type, before it is rounded to it.
struct HalfToBe {};

// A bool is a byte of 0 or 1.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, HalfToBe>, float, Raw<T>>;

template <class To, class From>
void convert_loop(const Chunk& chunk) {
  unary_loop<Stored<To>, Raw<From>>(chunk, [](Raw<From> stored) -> Stored<To> {
    const auto value = static_cast<From>(stored);
    if constexpr (std::is_same_v<To, HalfToBe>) return about_to_round(value);
    if constexpr (!std::is_same_v<To, HalfToBe>) return convert<To>(value);
  });
}

template <class To>
constexpr Loops kConversions = {convert_loop<To, float>, convert_loop<To, double>,
                                convert_loop<To, std::int64_t>, convert_loop<To, bool>};

PlainLoop conversion(DType from, DType to) {
  switch (to) {
    case DType::float32:
      return kConversions<float>.of(from);
    case DType::float64:
      return kConversions<double>.of(from);
    case DType::int64:
      return kConversions<std::int64_t>.of(from);
    case DType::boolean:
      return kConversions<bool>.of(from);
    default:
      return kConversions<HalfToBe>.of(from);
  }
}

class Conversion final : public OperationOf<Conversion> {
 public:
  explicit Conversion(DType dtype) : dtype_(dtype) {}

  const char* name() const override { return "to"; }
  Form form(Inputs inputs) const override { return {inputs[0].shape(), dtype_}; }
  void compute(Inputs inputs, Tensor& out) const override {
    Tensor kept;
    const Operand from = operand_of(inputs[0], out, &kept);
    const bool between_halves = size_of(from.dtype) == 2 && size_of(dtype_) == 2;
    walk_chunks({out.shape(), operand_to(out), {&from, 1}},
                between_halves ? Loop() : Loop(conversion(from.dtype, dtype_)));
  }
  bool has_gradient() const override { return is_floating(dtype_); }
  Tensors gradient(const Recorded& call) const override {
    return {call.grad.to(call.forms[0].dtype)};
  }

 private:
  DType dtype_;
};

}  // namespace

Tensor Tensor::to(DType dtype) const {
  require_defined(*this, "to");
  return dtype == this->dtype() ? *this : apply(Conversion(dtype), {*this});
}

}  // namespace foveal
