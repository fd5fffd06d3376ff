#include "tensor/elementwise.h"

#include <cstring>

#include "foveal/error.h"
#include "tensor/check.h"
#include "tensor/numbers.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

void require_dtype(const Tensor& tensor, Takes takes, const char* function, const char* argument) {
  if (takes == Takes::floating) require_floating(tensor, function, argument);
  if (takes != Takes::numbers || tensor.dtype() != DType::boolean) return;
  throw Error(
      std::string(function) + ": " + argument +
      " has dtype bool: arithmetic needs numbers; convert it with to(int64) or to(float32)");
}

/// A number as an element of a dtype.
using Element = std::array<char, 8>;

Element element_of(double number, DType dtype, const char* function) {
  Element element = {};
  visit(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T value = convert_scalar<T>(number, function);
    std::memcpy(element.data(), &value, sizeof(T));
  });
  return element;
}

/// The set with input `place` put in between.
InputSet with_place(InputSet set, std::size_t place, bool there) {
  const InputSet below = set & ((InputSet{1} << place) - 1);
  return below | (InputSet{there} << place) | ((set ^ below) << 1);
}

InputSet without_place(InputSet set, std::size_t place) {
  const InputSet below = set & ((InputSet{1} << place) - 1);
  return below | ((set >> 1) & ~((InputSet{1} << place) - 1));
}

}  // namespace

/// The name of the argument that tensor number `input` is.
const char* Elementwise::name_of(std::size_t input) const {
  const bool second = input + (number_ && place_ == 0 ? 1 : 0) == 1;
  return second ? "b" : "a";
}

Form Elementwise::form(Inputs inputs) const {
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    require_defined(inputs[n], entry_.name, name_of(n));
  }
  Form result{inputs[0].shape(), entry_.gives_bool ? DType::boolean : inputs[0].dtype()};
  if (inputs.size() == 2) require_same_dtype(inputs[0], "a", inputs[1], "b", entry_.name);
  require_dtype(inputs[0], entry_.takes, entry_.name, name_of(0));
  if (inputs.size() == 2 && inputs[1].shape() != result.shape) {
    result.shape = broadcast_shapes(inputs[0].shape(), inputs[1].shape(),
                                    std::string(entry_.name) + ": a and b");
  }
  return result;
}

void Elementwise::compute(Inputs inputs, Tensor& out) const {
  std::array<Tensor, kMostOperands> kept;
  std::array<Operand, kMostOperands> operands;
  Element element = {};
  std::size_t given = 0;
  for (std::size_t n = 0; n < entry_.inputs; ++n) {
    if (number_ && n == place_) {
      element = element_of(*number_, inputs[0].dtype(), entry_.name);
      operands[n] = {element.data(), inputs[0].dtype()};
    } else {
      operands[n] = operand_of(inputs[given++], out, &kept[n]);
    }
  }
  walk_chunks({out.shape(), operand_to(out), {operands.data(), entry_.inputs}},
              entry_.loops.of(inputs[0].dtype()));
}

Saves Elementwise::saves(InputSet wanted) const {
  if (!number_) return entry_.saves(wanted);
  Saves result = entry_.saves(with_place(wanted, place_, false));
  result.inputs = without_place(result.inputs, place_);
  return result;
}

Tensors Elementwise::gradient(const Recorded& call) const {
  if (!number_) return entry_.gradient(call);
  const auto place = static_cast<std::ptrdiff_t>(place_);
  Recorded whole = call;
  const DType dtype = call.forms[0].dtype;
  whole.inputs.insert(whole.inputs.begin() + place, Tensor::full({}, *number_, dtype));
  whole.forms.insert(whole.forms.begin() + place, Form{{}, dtype});
  whole.wanted = with_place(call.wanted, place_, false);
  Tensors result = entry_.gradient(whole);
  result.erase(result.begin() + place);
  return result;
}

}  // namespace foveal
