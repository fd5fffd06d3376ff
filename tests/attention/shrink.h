#pragma once
// Of a generated case that fails, a smaller one that fails too.

#include <gtest/gtest-spi.h>

#include <functional>

#include "attention/cases.h"
#include "foveal/error.h"

namespace foveal {

inline std::string describe(const Case& one) {
  const AttentionOptions& options = one.options;
  std::string text = to_string(one.query.dtype()) + " query " + to_string(one.query.shape()) +
                     " key " + to_string(one.key.shape()) + " value " +
                     to_string(one.value.shape()) + ", target " + options.target + ", mask " +
                     to_string(options.mask).substr(0, 80);
  if (options.scale) text += ", scale " + std::to_string(*options.scale);
  if (options.softcap > 0) text += ", softcap " + std::to_string(options.softcap);
  if (options.bias.defined()) text += ", bias " + to_string(options.bias.shape());
  if (options.alibi_slopes.defined()) text += ", ALiBi";
  if (options.sinks.defined()) text += ", sinks";
  if (options.dropout_mask.defined()) text += ", dropout mask";
  if (options.dropout > 0) text += ", dropout " + std::to_string(options.dropout);
  return text;
}

/// The first half of an axis, counted from the right, of a tensor that has it to itself.
inline Tensor halved(const Tensor& tensor, std::int64_t axis) {
  if (!tensor.defined() || tensor.rank() < axis || tensor.size(-axis) == 1) return tensor;
  return tensor.slice(-axis, 0, tensor.size(-axis) / 2);
}

/// Ways to make a case simpler; one that doesn't fit the case gives an Error later, or no change.
inline std::vector<std::function<void(Case&)>> simplifications() {
  return {
      [](Case& one) { one.options.mask = none(); },
      [](Case& one) { one.options.bias = {}; },
      [](Case& one) { one.options.alibi_slopes = {}; },
      [](Case& one) { one.options.sinks = {}; },
      [](Case& one) { one.options.dropout_mask = {}; },
      [](Case& one) { one.options.dropout = 0; },
      [](Case& one) { one.options.softcap = 0; },
      [](Case& one) { one.options.scale = {}; },
      [](Case& one) {
        for (Tensor* tensor :
             {&one.query, &one.key, &one.value, &one.options.bias, &one.options.dropout_mask}) {
          *tensor = halved(*tensor, 4);
        }
      },
      [](Case& one) {
        one.query = halved(one.query, 2);
        one.options.bias = halved(one.options.bias, 2);
        one.options.dropout_mask = halved(one.options.dropout_mask, 2);
      },
      [](Case& one) {
        one.key = halved(one.key, 2);
        one.value = halved(one.value, 2);
        one.options.bias = halved(one.options.bias, 1);
        one.options.dropout_mask = halved(one.options.dropout_mask, 1);
      },
      [](Case& one) {
        one.query = halved(one.query, 1);
        one.key = halved(one.key, 1);
      },
      [](Case& one) { one.value = halved(one.value, 1); },
  };
}

/// Whether check(one) fails an assertion.
template <class Check>
bool fails(const Check& check, const Case& one) {
  ::testing::TestPartResultArray results;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    check(one);
  }
  for (int n = 0; n < results.size(); ++n) {
    if (results.GetTestPartResult(n).failed()) return true;
  }
  return false;
}

/// The same for a simplified case, which may not fit together any more.
template <class Check>
bool still_fails(const Check& check, const Case& one) {
  try {
    return fails(check, one);
  } catch (const Error&) {
    return false;
  }
}

template <class Check>
Case shrunk(const Check& check, Case one) {
  const auto same = [](const Case& a, const Case& b) { return describe(a) == describe(b); };
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (const auto& simplify : simplifications()) {
      Case next = one;
      simplify(next);
      if (same(next, one) || !still_fails(check, next)) continue;
      one = next;
      smaller = true;
    }
  }
  return one;
}

/// check(make(seed)) for `count` seeds; the first case that fails is reported as small as it gets.
template <class Make, class Check>
void check_generated(unsigned count, const Make& make, const Check& check) {
  for (unsigned seed = 0; seed < count; ++seed) {
    const Case one = make(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + describe(one));
    if (!fails(check, one)) continue;
    const Case smallest = shrunk(check, one);
    SCOPED_TRACE("smallest: " + describe(smallest));
    check(smallest);
    return;
  }
}

}  // namespace foveal
