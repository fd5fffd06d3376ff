#pragma once
// One number in another type.

#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <type_traits>

#include "foveal/dtype.h"
#include "foveal/error.h"

namespace foveal {

template <class T>
inline constexpr bool is_half = std::is_same_v<T, BFloat16> || std::is_same_v<T, Float16>;

/// The type that elementwise operations on T compute in: float32 for the 16-bit types, else T.
template <class T>
using Compute = std::conditional_t<is_half<T>, float, T>;

/// A float64 that rounds to any 16-bit float as `value` itself does: where 53 bits can't hold the
/// integer, its last kept bit is set instead of rounding twice.
inline double rounded_to_odd(std::int64_t value) {
  constexpr std::int64_t exact = std::int64_t{1} << 53;
  if (value >= -exact && value <= exact) return static_cast<double>(value);
  constexpr std::int64_t low_bits = (1 << 11) - 1;
  const bool inexact = (value & low_bits) != 0;
  return static_cast<double>((value & ~low_bits) | (inexact ? low_bits + 1 : 0));
}

/// As an error shows it: "0.5", "1e-07", "inf".
inline std::string number_text(double value) {
  if (std::isnan(value)) return "nan";  // not "-nan"
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

/// Towards zero. Throws Error where the result is no int64.
inline std::int64_t to_int64(double value) {
  // 2^63 is a float64; INT64_MAX isn't.
  if (!(value >= -0x1p63 && value < 0x1p63)) {
    throw Error("to(int64): the value " + number_text(value) +
                " has no int64: it must be finite, from -2^63 to below 2^63");
  }
  return static_cast<std::int64_t>(value);
}

/// To a floating type: to nearest even, rounded once. To bool: nonzero (NaN too) is true. To int64:
/// towards zero; NaN, infinity or out of range throws.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (is_half<From>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{0};
  } else if constexpr (std::is_same_v<To, std::int64_t>) {
    if constexpr (std::is_same_v<From, bool>) return value ? 1 : 0;
    return to_int64(static_cast<double>(value));
  } else if constexpr (is_half<To>) {
    if constexpr (std::is_same_v<From, std::int64_t>) return To(rounded_to_odd(value));
    return To(static_cast<double>(value));
  } else {
    return static_cast<To>(value);
  }
}

/// A scalar argument in the tensor's type. A fraction with int64 throws Error.
template <class T>
T convert_scalar(double value, const char* function) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (!(value >= -0x1p63 && value < 0x1p63) || value != std::trunc(value)) {
      throw Error(std::string(function) + ": the value " + number_text(value) +
                  " doesn't fit a tensor of dtype int64: it must be an integer; convert the tensor "
                  "with to(float32)");
    }
  }
  return convert<T>(value);
}

}  // namespace foveal
