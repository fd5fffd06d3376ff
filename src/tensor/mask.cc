// Choosing by a mask: where, masked_fill, triu, tril.

#include <algorithm>
#include <cstring>

#include "core/door.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/check.h"
#include "tensor/chunk_walk.h"
#include "tensor/copy.h"
#include "tensor/numbers.h"
#include "tensor/operation.h"
#include "tensor/parallel.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

/// from[0], a bool, chooses from[1] where it is true, else from[2]. By bits: a branch would be
/// guessed wrong, and keep the loop from becoming a vector loop.
template <class Bits>
void choose_loop(const Chunk& chunk) {
  auto* const to = static_cast<Bits*>(chunk.to);
  const auto* const flags = static_cast<const std::uint8_t*>(chunk.from[0]);
  const auto* const a = static_cast<const Bits*>(chunk.from[1]);
  const auto* const b = static_cast<const Bits*>(chunk.from[2]);
  const auto choose = [](std::uint8_t flag, Bits yes, Bits no) {
    const auto chosen = static_cast<Bits>(Bits{0} - static_cast<Bits>(flag));
    return static_cast<Bits>((yes & chosen) | (no & static_cast<Bits>(~chosen)));
  };
  const std::int64_t flag_step = chunk.repeated[0] ? 0 : 1, a_step = chunk.repeated[1] ? 0 : 1,
                     b_step = chunk.repeated[2] ? 0 : 1;
  if (flag_step == 1 && a_step == 0 && b_step == 1) {
    const Bits value = *a;
    for (std::int64_t i = 0; i < chunk.count; ++i) to[i] = choose(flags[i], value, b[i]);
  } else if (flag_step == 1 && a_step == 1 && b_step == 1) {
    for (std::int64_t i = 0; i < chunk.count; ++i) to[i] = choose(flags[i], a[i], b[i]);
  } else {
    for (std::int64_t i = 0; i < chunk.count; ++i) {
      to[i] = choose(flags[i * flag_step], a[i * a_step], b[i * b_step]);
    }
  }
}

Loop choose_loop_of(DType dtype) {
  switch (size_of(dtype)) {
    case 1:
      return choose_loop<std::uint8_t>;
    case 2:
      return choose_loop<std::uint16_t>;
    case 4:
      return choose_loop<std::uint32_t>;
    default:
      return choose_loop<std::uint64_t>;
  }
}

void choose(Tensor& out, const Operand& flags, const Operand& yes, const Operand& no) {
  const std::array<Operand, 3> from = {flags, yes, no};
  walk_chunks({out.shape(), operand_to(out), from, false}, choose_loop_of(out.dtype()));
}

/// `value` where the mask is true.
class MaskedFill final : public OperationOf<MaskedFill> {
 public:
  MaskedFill(double value, const char* name) : value_(value), name_(name) {}

  const char* name() const override { return name_; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override;
  Saves saves(InputSet) const override { return {2}; }
  Tensors gradient(const Recorded& call) const override {
    return {masked_fill(call.grad, call.inputs[1], 0), Tensor()};
  }

 private:
  double value_;
  const char* name_;
};

Form MaskedFill::form(Inputs inputs) const {
  const Tensor &a = inputs[0], &mask = inputs[1];
  require_defined(a, name_, "a");
  require_defined(mask, name_, "mask");
  if (mask.dtype() != DType::boolean && mask.dtype() != a.dtype()) {
    const std::string dtype = to_string(a.dtype());
    throw Error(std::string(name_) + ": mask has dtype " + to_string(mask.dtype()) +
                " but a has dtype " + dtype +
                ": a mask must be bool or have a's dtype; convert it with mask.to(" + dtype +
                "), or register it as a buffer so that Module::to moves it");
  }
  if (broadcast_shapes(a.shape(), mask.shape(), std::string(name_) + ": a and mask") != a.shape()) {
    throw Error(std::string(name_) + ": mask has shape " + to_string(mask.shape()) +
                " but a has shape " + to_string(a.shape()) +
                ": mask must broadcast to a's shape; expand a first");
  }
  return {a.shape(), a.dtype()};
}

void MaskedFill::compute(Inputs inputs, Tensor& out) const {
  std::array<char, 8> element = {};
  visit(out.dtype(), [&](auto zero) {
    const auto value = convert_scalar<decltype(zero)>(value_, name_);
    std::memcpy(element.data(), &value, sizeof(value));
  });
  Tensor mask = inputs[1].to(DType::boolean);
  // Filling in place must not change the mask that is still being read.
  if (out.shares_storage(inputs[0]) && may_overlap(out, mask)) mask = mask.clone();
  std::array<Tensor, 2> kept;
  choose(out, operand_of(mask, out, &kept[0]), {element.data(), out.dtype()},
         operand_of(inputs[0], out, &kept[1]));
}

class Where final : public OperationOf<Where> {
 public:
  const char* name() const override { return "where"; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override {
    std::array<Tensor, 3> kept;
    choose(out, operand_of(inputs[0], out, &kept[0]), operand_of(inputs[1], out, &kept[1]),
           operand_of(inputs[2], out, &kept[2]));
  }
  Saves saves(InputSet) const override { return {1}; }
  Tensors gradient(const Recorded& call) const override {
    const Tensor& condition = call.inputs[0];
    return {Tensor(),
            holds(call.wanted, 1) ? masked_fill(call.grad, logical_not(condition), 0) : Tensor(),
            holds(call.wanted, 2) ? masked_fill(call.grad, condition, 0) : Tensor()};
  }
};

Form Where::form(Inputs inputs) const {
  const Tensor &condition = inputs[0], &a = inputs[1], &b = inputs[2];
  require_defined(condition, "where", "condition");
  require_defined(a, "where", "a");
  require_defined(b, "where", "b");
  require_same_dtype(a, "a", b, "b", "where");
  if (condition.dtype() != DType::boolean) {
    throw Error("where: condition has dtype " + to_string(condition.dtype()) +
                ": it must be bool; compare first, or convert with to(bool)");
  }
  const Shape both = broadcast_shapes(a.shape(), b.shape(), "where: a and b");
  return {broadcast_shapes(condition.shape(), both, "where: condition and the others"), a.dtype()};
}

/// Zeroes, in each row, the columns before row + diagonal, or the others.
Tensor triangle(const Tensor& a, const char* function, std::int64_t diagonal, bool before) {
  require_defined(a, function, "a");
  if (a.rank() < 2) {
    throw Error(std::string(function) + ": a has shape " + to_string(a.shape()) +
                ": it must have rows and columns, so at least 2 axes");
  }
  const std::int64_t rows = a.size(-2), columns = a.size(-1);
  const std::int64_t first = std::clamp(diagonal, -rows, columns);
  Tensor dropped = TensorBuilder::empty({rows, columns}, DType::boolean);
  bool* const flags = TensorBuilder::written<bool>(dropped);
  for_ranges(rows, columns, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t boundary = std::clamp<std::int64_t>(row + first, 0, columns);
      std::fill_n(flags + row * columns, boundary, before);
      std::fill_n(flags + row * columns + boundary, columns - boundary, !before);
    }
  });
  return apply(MaskedFill(0, function), {a, dropped});
}

}  // namespace

Tensor masked_fill(const Tensor& a, const Tensor& mask, double value) {
  return apply(MaskedFill(value, "masked_fill"), {a, mask});
}

Tensor& Tensor::masked_fill_(const Tensor& mask, double value) {
  apply_in_place(MaskedFill(value, "masked_fill_"), *this, {&mask, 1});
  return *this;
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return apply(Where(), {condition, a, b});
}

Tensor triu(const Tensor& a, std::int64_t diagonal) try {
  return triangle(a, "triu", diagonal, true);
} catch (...) {
  rethrow_as_error("triu");
}

Tensor tril(const Tensor& a, std::int64_t diagonal) try {
  // The first column to go is the one after the diagonal.
  return triangle(a, "tril", diagonal < INT64_MAX ? diagonal + 1 : diagonal, false);
} catch (...) {
  rethrow_as_error("tril");
}

}  // namespace foveal
