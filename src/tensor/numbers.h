#pragma once
// One number in another type.

#include <array>
#include <bit>
#include <cmath>
#include <string>
#include <type_traits>

#include "core/half.h"
#include "core/number_text.h"
#include "foveal/dtype.h"
#include "foveal/error.h"

namespace foveal {

template <class T>
inline constexpr bool is_half = std::is_same_v<T, BFloat16> || std::is_same_v<T, Float16>;

/// The type that elementwise operations on T compute in: float32 for the 16-bit types, else T.
template <class T>
using Compute = std::conditional_t<is_half<T>, float, T>;

/// Half types as the bits that they are: loops over structs don't become vector loops. A bool as
/// its byte: foreign memory may hold any, and each but 0 is true.
template <class T>
using Raw = std::conditional_t<is_half<T>, std::uint16_t,
                               std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>>;

template <class T>
Raw<T>* raw(T* data) {
  if constexpr (is_half<T>) {
    return &data->bits;
  } else if constexpr (std::is_same_v<T, bool>) {
    return reinterpret_cast<std::uint8_t*>(data);
  } else {
    return data;
  }
}

template <class T>
const Raw<T>* raw(const T* data) {
  return raw(const_cast<T*>(data));
}

template <class T>
Raw<T> raw_of(T value) {
  return *raw(&value);
}

/// In the type that operations compute in, exactly. Inline, so that loops become vector loops.
template <class T>
Compute<T> widened(T value) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    return float_of_bfloat16(value.bits);
  } else if constexpr (std::is_same_v<T, Float16>) {
    return float_of_float16(value.bits);
  } else {
    return value;
  }
}

/// The number at `place` in the type that operations compute in.
template <class T>
Compute<T> number_at(const T* place) {
  if constexpr (std::is_same_v<T, bool>) {
    return *raw(place) != 0;
  } else {
    return widened(*place);
  }
}

/// An element as memory of our own holds it: a bool that is true as 1.
template <class T>
Raw<T> owned(Raw<T> element) {
  if constexpr (std::is_same_v<T, bool>) return element != 0 ? 1 : 0;
  return element;
}

/// A float32 to nearest even.
template <class Half>
Half half_of_float(float value) {
  Half half;
  half.bits = std::is_same_v<Half, BFloat16> ? bfloat16_of_float(value) : float16_of_float(value);
  return half;
}

/// A float64 that rounds to any 16-bit float as `value` itself does: where 53 bits can't hold the
/// integer, its last kept bit is set instead of rounding twice.
inline double rounded_to_odd(std::int64_t value) {
  constexpr std::int64_t exact = std::int64_t{1} << 53;
  if (value >= -exact && value <= exact) return static_cast<double>(value);
  constexpr std::int64_t low_bits = (1 << 11) - 1;
  const bool inexact = (value & low_bits) != 0;
  return static_cast<double>((value & ~low_bits) | (inexact ? low_bits + 1 : 0));
}

// Out of line, so that the loops around conversions stay small.
[[noreturn, gnu::cold, gnu::noinline]] inline void throw_no_int64(double value) {
  throw Error("to(int64): the value " + number_text(value) +
              " has no int64: it must be finite, from -2^63 to below 2^63");
}

/// Towards zero. Throws Error where the result is no int64.
inline std::int64_t to_int64(double value) {
  // 2^63 is a float64; INT64_MAX isn't.
  if (!(value >= -0x1p63 && value < 0x1p63)) throw_no_int64(value);
  return static_cast<std::int64_t>(value);
}

/// A float32 that rounds to any 16-bit float as `value` itself does.
template <class T>
float about_to_round(T value) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    return rounded_to_odd(rounded_to_odd(value));
  } else if constexpr (std::is_same_v<T, double>) {
    return rounded_to_odd(value);
  } else {
    return static_cast<float>(value);
  }
}

/// By bits: a comparison takes a subnormal number for 0 where the caller has them flushed.
template <class T>
bool is_nonzero(T value) {
  if constexpr (std::is_same_v<T, float>) {
    return (std::bit_cast<std::uint32_t>(value) << 1) != 0;
  } else if constexpr (std::is_same_v<T, double>) {
    return (std::bit_cast<std::uint64_t>(value) << 1) != 0;
  } else {
    return value != T{0};
  }
}

/// To a floating type: to nearest even, rounded once. To bool: nonzero (NaN too) is true. To int64:
/// towards zero; NaN, infinity or out of range throws.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (is_half<From>) {
    return convert<To>(widened(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return is_nonzero(value);
  } else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, double>) {
    return double_of_float(value);
  } else if constexpr (std::is_same_v<To, std::int64_t>) {
    if constexpr (std::is_same_v<From, bool>) return value ? 1 : 0;
    return to_int64(static_cast<double>(value));
  } else if constexpr (is_half<To>) {
    return half_of_float<To>(about_to_round(value));
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
