#pragma once
// A running hash of numbers: to tell things apart, not to keep secrets.

#include <bit>
#include <cstdint>

namespace foveal {

class Hash {
 public:
  Hash& add(std::uint64_t number) {
    value_ = (value_ ^ number) * 0x9E3779B97F4A7C15;
    value_ ^= value_ >> 29;
    return *this;
  }
  Hash& add(std::int64_t number) { return add(static_cast<std::uint64_t>(number)); }
  Hash& add(double number) { return add(std::bit_cast<std::uint64_t>(number)); }
  Hash& add(bool flag) { return add(std::uint64_t{flag}); }
  template <class Range>
  Hash& add_all(const Range& numbers) {
    add(static_cast<std::uint64_t>(numbers.size()));
    for (const auto number : numbers) add(number);
    return *this;
  }

  /// Never 0.
  std::uint64_t value() const { return value_ == 0 ? 1 : value_; }

 private:
  std::uint64_t value_ = 0x6A09E667F3BCC908;
};

}  // namespace foveal
