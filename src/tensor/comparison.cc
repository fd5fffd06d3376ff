// Comparison, to a bool tensor or to one answer.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>

#include "core/door.h"
#include "core/number_text.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/check.h"
#include "tensor/elementwise.h"

namespace foveal {
namespace {

template <class T, class Compare>
void compare_loop(const Chunk& chunk) {
  binary_loop<std::uint8_t, T, T>(chunk, Compare());
}

template <class Compare>
constexpr ElementwiseEntry comparison(const char* name) {
  return {name,
          2,
          Takes::anything,
          {compare_loop<float, Compare>, compare_loop<double, Compare>,
           compare_loop<std::int64_t, Compare>, compare_loop<std::uint8_t, Compare>},
          true};
}

constexpr ElementwiseEntry kEq = comparison<std::equal_to<>>("eq");
constexpr ElementwiseEntry kNe = comparison<std::not_equal_to<>>("ne");
constexpr ElementwiseEntry kLt = comparison<std::less<>>("lt");
constexpr ElementwiseEntry kLe = comparison<std::less_equal<>>("le");
constexpr ElementwiseEntry kGt = comparison<std::greater<>>("gt");
constexpr ElementwiseEntry kGe = comparison<std::greater_equal<>>("ge");

constexpr ElementwiseEntry kLogicalNot = {
    "logical_not", 1, Takes::anything, {nullptr, nullptr, nullptr, [](const Chunk& chunk) {
                                          unary_loop<std::uint8_t, std::uint8_t>(
                                              chunk, [](std::uint8_t flag) { return flag == 0; });
                                        }}};

Tensor compare(const ElementwiseEntry& entry, const Tensor& a, double b) {
  if (a.defined() && a.dtype() == DType::boolean && b != 0 && b != 1) {
    throw Error(std::string(entry.name) + ": a has dtype bool but the number is " + number_text(b) +
                ": compare a bool with 0 or 1");
  }
  return apply(Elementwise(entry, b, 1), {a});
}

void require_same_shape(const Tensor& a, const Tensor& b, const char* function) {
  if (a.shape() == b.shape()) return;
  throw Error(std::string(function) + ": a has shape " + to_string(a.shape()) + " but b has " +
              to_string(b.shape()) + ": they must be the same");
}

/// As PyTorch: equal infinities are close, and nothing else is close to an infinity.
bool is_close(double a, double b, double rtol, double atol) {
  const double difference = std::abs(a - b);
  const bool finite = difference <= std::numeric_limits<double>::max();
  return (a == b) | (finite & (difference <= atol + rtol * std::abs(b)));
}

/// For how many places of a chunk `holds` is false. In 32 bits, for vector loops.
template <class T, class Holds>
std::int32_t count_misses(const Chunk& chunk, const Holds& holds) {
  const auto* const a = static_cast<const T*>(chunk.from[0]);
  const auto* const b = static_cast<const T*>(chunk.from[1]);
  std::int32_t misses = 0;
  if (!chunk.repeated[0] && !chunk.repeated[1]) {
    for (std::int64_t i = 0; i < chunk.count; ++i) misses += holds(a[i], b[i]) ? 0 : 1;
    return misses;
  }
  const std::int64_t a_step = chunk.repeated[0] ? 0 : 1, b_step = chunk.repeated[1] ? 0 : 1;
  for (std::int64_t i = 0; i < chunk.count; ++i) {
    misses += holds(a[i * a_step], b[i * b_step]) ? 0 : 1;
  }
  return misses;
}

/// Whether holds(a, b) at each place of tensors of one shape and dtype. Stops early.
template <class Holds>
bool all_hold(const Tensor& a, const Tensor& b, const Holds& holds) {
  if (a.element_count() == 0) return true;
  std::array<Tensor, 2> kept;
  const std::array<Operand, 2> operands = {operand_of(a, a, &kept[0]), operand_of(b, a, &kept[1])};
  std::atomic<bool> all{true};
  const auto look_with = [&](auto count) {
    walk_chunks({a.shape(), {}, operands}, [&](const Chunk& chunk) {
      if (all && count(chunk) != 0) all = false;
    });
  };
  switch (a.dtype()) {
    case DType::float64:
      look_with([&](const Chunk& chunk) { return count_misses<double>(chunk, holds); });
      break;
    case DType::int64:
      look_with([&](const Chunk& chunk) { return count_misses<std::int64_t>(chunk, holds); });
      break;
    case DType::boolean:
      look_with([&](const Chunk& chunk) { return count_misses<std::uint8_t>(chunk, holds); });
      break;
    default:
      look_with([&](const Chunk& chunk) { return count_misses<float>(chunk, holds); });
  }
  return all;
}

}  // namespace

Tensor eq(const Tensor& a, const Tensor& b) { return apply(Elementwise(kEq), {a, b}); }
Tensor ne(const Tensor& a, const Tensor& b) { return apply(Elementwise(kNe), {a, b}); }
Tensor lt(const Tensor& a, const Tensor& b) { return apply(Elementwise(kLt), {a, b}); }
Tensor le(const Tensor& a, const Tensor& b) { return apply(Elementwise(kLe), {a, b}); }
Tensor gt(const Tensor& a, const Tensor& b) { return apply(Elementwise(kGt), {a, b}); }
Tensor ge(const Tensor& a, const Tensor& b) { return apply(Elementwise(kGe), {a, b}); }

Tensor eq(const Tensor& a, double b) { return compare(kEq, a, b); }
Tensor ne(const Tensor& a, double b) { return compare(kNe, a, b); }
Tensor lt(const Tensor& a, double b) { return compare(kLt, a, b); }
Tensor le(const Tensor& a, double b) { return compare(kLe, a, b); }
Tensor gt(const Tensor& a, double b) { return compare(kGt, a, b); }
Tensor ge(const Tensor& a, double b) { return compare(kGe, a, b); }

Tensor logical_not(const Tensor& a) {
  if (a.defined() && a.dtype() != DType::boolean) {
    throw Error("logical_not: a has dtype " + to_string(a.dtype()) +
                ": it must be bool; compare first, or convert with to(bool)");
  }
  return apply(Elementwise(kLogicalNot), {a});
}

bool equal(const Tensor& a, const Tensor& b) try {
  require_defined(a, "equal", "a");
  require_defined(b, "equal", "b");
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  return all_hold(a, b, std::equal_to<>());
} catch (...) {
  rethrow_as_error("equal");
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol) try {
  require_defined(a, "allclose", "a");
  require_defined(b, "allclose", "b");
  require_same_dtype(a, "a", b, "b", "allclose");
  require_same_shape(a, b, "allclose");
  if (!(rtol >= 0 && atol >= 0)) {
    throw Error("allclose: rtol is " + number_text(rtol) + " and atol is " + number_text(atol) +
                ": both must be 0 or more");
  }
  return all_hold(a, b, [=](auto left, auto right) {
    return is_close(static_cast<double>(left), static_cast<double>(right), rtol, atol);
  });
} catch (...) {
  rethrow_as_error("allclose");
}

}  // namespace foveal
