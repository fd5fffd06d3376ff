#pragma once
// A call that is right, for tests to make one thing of it wrong.

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "c/describe.h"
#include "errors.h"

namespace foveal {

/// A call that is right, for one thing to be made wrong.
class CEdges : public testing::Test {
 protected:
  CEdges() {
    foveal_options_init(&options, sizeof options);
    result.output = &output;
    result.lse = &lse;
  }

  /// The call's status; then last_error() has the words, and nothing was written.
  void expect(std::int32_t status, const std::vector<std::string>& words) {
    EXPECT_EQ(call(), status) << foveal_last_error();
    expect_words(foveal_last_error(), words);
    EXPECT_EQ(std::strchr(foveal_last_error(), '\n'), nullptr);
    for (const double number : room.to_vector()) ASSERT_EQ(number, 9);
  }

  std::int32_t call() { return foveal_attention(query, key, value, &options, &result); }

  Tensor x = Tensor::ones({2, 3, 5, 4}), room = Tensor::full({2, 3, 5, 4}, 9),
         lse_room = Tensor::full({2, 3, 5}, 9), other = Tensor::full({2, 3, 5, 5}, 9);
  foveal_tensor q = described(x), k = q, v = q, output = described(room), lse = described(lse_room),
                more = described(other);
  const foveal_tensor *query = &q, *key = &k, *value = &v;
  foveal_options options = {};
  foveal_result result = {};
};

}  // namespace foveal
