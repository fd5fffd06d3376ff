// What callers of foveal/c.h get wrong: a status, a line that says what, nothing written, no crash.

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "c/right_call.h"
#include "errors.h"
#include "foveal/operations.h"
#include "foveal/version.h"

namespace foveal {
namespace {

TEST_F(CEdges, TheCallIsRightOtherwise) {
  EXPECT_EQ(call(), 0) << foveal_last_error();
  EXPECT_STREQ(foveal_last_error(), "");
  EXPECT_NE(result.plan[0] | result.plan[1] | result.plan[2] | result.plan[3], 0U);
}

TEST_F(CEdges, NoOptionsAreTheDefaults) {
  EXPECT_EQ(foveal_attention(query, key, value, nullptr, &result), 0) << foveal_last_error();
  EXPECT_NEAR(room.at({0, 0, 0, 0}), 1, 1e-5);
}

TEST_F(CEdges, NullsAreNamed) {
  query = nullptr;
  expect(FOVEAL_DATA, {"foveal_attention: query is NULL"});
  query = &q;
  q.data = nullptr;
  expect(FOVEAL_DATA, {"foveal_attention: query: data is null", "(2, 3, 5, 4)"});
  q.data = k.data;
  result.output = result.lse = nullptr;
  expect(FOVEAL_USAGE, {"result asks for nothing"});
  EXPECT_EQ(foveal_attention(query, key, value, &options, nullptr), FOVEAL_USAGE);
  expect_words(foveal_last_error(), {"result is NULL"});
  foveal_gradients gradients = {};
  EXPECT_EQ(foveal_attention_backward(query, query, key, value, &result, &options, &gradients),
            FOVEAL_DATA);
  expect_words(foveal_last_error(), {"foveal_attention_backward: result->output is NULL"});
  EXPECT_EQ(foveal_plan_create(query, key, value, &options, nullptr), FOVEAL_USAGE);
  EXPECT_EQ(foveal_plan_run(nullptr, query, key, value, &result), FOVEAL_USAGE);
  expect_words(foveal_last_error(), {"foveal_plan_run: plan is NULL"});
  EXPECT_EQ(foveal_plan_backward(nullptr, query, query, key, value, &result, &gradients),
            FOVEAL_USAGE);
  EXPECT_EQ(foveal_plan_explain(nullptr, nullptr, 0, nullptr), FOVEAL_USAGE);
  EXPECT_EQ(foveal_plan_destroy(nullptr), 0);
  EXPECT_EQ(foveal_state(query, key, value, &options, nullptr), FOVEAL_USAGE);
  foveal_partial partial = {};
  EXPECT_EQ(foveal_state(query, key, value, &options, &partial), FOVEAL_DATA);
  expect_words(foveal_last_error(), {"foveal_state: state->output is NULL"});
  EXPECT_EQ(foveal_state_merge(nullptr, &partial), FOVEAL_USAGE);
  EXPECT_EQ(foveal_state_finish(nullptr, &result), FOVEAL_USAGE);
  EXPECT_EQ(foveal_options_init(nullptr, sizeof options), FOVEAL_USAGE);
}

TEST_F(CEdges, DescriptionsThatFitNoMemory) {
  const foveal_tensor good = q;
  for (const std::int32_t dtype : {0, 1, 32, 513, -1, INT32_MAX}) {
    q.dtype = dtype;
    expect(FOVEAL_DATA, {"query has dtype " + std::to_string(dtype), "544 float32", "1544 bool"});
  }
  q = good;
  for (const std::int32_t rank : {-1, 9, INT32_MIN, INT32_MAX}) {
    q.rank = rank;
    expect(FOVEAL_DATA, {"query has rank " + std::to_string(rank), "from 0 to 8"});
  }
  q.rank = 3;
  expect(FOVEAL_DATA, {"query has shape (2, 3, 5)"});
  q = good;
  q.shape[2] = -5;
  expect(FOVEAL_DATA, {"foveal_attention: query", "-5"});
  q.shape[2] = INT64_MAX;
  expect(FOVEAL_DATA, {"foveal_attention: query"});
  q = good;
  q.strides[0] = INT64_MAX / 2;
  expect(FOVEAL_DATA, {"foveal_attention: query", "strides"});
  q = good;
  q.data = static_cast<char*>(q.data) + 2;
  expect(FOVEAL_DATA, {"query: data is not aligned"});
  q = good;
  std::memset(q.strides, 0, sizeof q.strides);
  expect(FOVEAL_DATA, {"query has shape (2, 3, 5, 4)", "strides are 0", "(60, 20, 4, 1)"});
  q = good;
  q.dtype = FOVEAL_INT64;
  q.shape[3] = k.shape[3] = v.shape[3] = 2;
  k.dtype = v.dtype = FOVEAL_INT64;
  expect(FOVEAL_DATA, {"int64", "float32, float64, bfloat16 or float16"});
}

TEST_F(CEdges, ALastStrideThatIsNotOneIsReadButNotWritten) {
  const Tensor turned = x.transpose(2, 3).contiguous().transpose(2, 3);
  q = described(turned);
  output.strides[3] = 5;
  output.strides[2] = 1;
  expect(FOVEAL_DATA, {"foveal_attention: output", "last stride 5"});
  output = described(room);
  EXPECT_EQ(call(), 0) << foveal_last_error();
}

TEST_F(CEdges, ResultsThatDoNotFit) {
  output.shape[3] = 3;
  expect(FOVEAL_DATA, {"foveal_attention: output has shape (2, 3, 5, 3)", "(2, 3, 5, 4)"});
  output = described(room);
  output.strides[0] = output.strides[1];
  expect(FOVEAL_DATA, {"output", "share memory"});
  output = described(room);
  output.data = q.data;
  expect(FOVEAL_DATA, {"output shares memory with query"});
  output = described(room);
  lse.data = output.data;
  expect(FOVEAL_DATA, {"output shares memory with lse"});
  lse = described(lse_room);
  lse.dtype = FOVEAL_FLOAT64;
  expect(FOVEAL_DATA, {"foveal_attention: lse", "float64"});
  lse = described(lse_room);
  result.rows = &more;
  expect(FOVEAL_USAGE, {"result->rows is given", "options->rows"});
  result.rows = nullptr;
  more.rank = 3;
  result.top_k_keys = &more;
  expect(FOVEAL_DATA, {"result->top_k_keys has shape (2, 3, 5)", "k from 1 on"});
}

TEST_F(CEdges, OptionsThatWereNotInitialised) {
  options = {};
  expect(FOVEAL_USAGE, {"options->size is 0", "foveal_options_init(&options, sizeof options)"});
  for (const std::size_t size : {std::size_t{8}, sizeof options - 1, std::size_t{1} << 40}) {
    options.size = size;
    expect(FOVEAL_USAGE, {"options->size is " + std::to_string(size)});
  }
  std::memset(&options, 0xCD, sizeof options);
  expect(FOVEAL_USAGE, {"options->size is"});
  EXPECT_EQ(foveal_options_init(&options, 8), FOVEAL_USAGE);
  expect_words(foveal_last_error(), {"sizeof(foveal_options)"});
}

TEST_F(CEdges, ANewerHeadersOptions) {
  struct Newer {
    foveal_options known;
    std::int64_t unknown[3];
  } newer;
  ASSERT_EQ(foveal_options_init(&newer.known, sizeof newer), 0);
  EXPECT_EQ(newer.known.size, sizeof newer);
  EXPECT_EQ(newer.unknown[2], 0);
  EXPECT_EQ(foveal_attention(query, key, value, &newer.known, &result), 0) << foveal_last_error();
  newer.unknown[2] = 1;
  EXPECT_EQ(foveal_attention(query, key, value, &newer.known, &result), FOVEAL_USAGE);
  expect_words(foveal_last_error(), {"members are set that foveal " FOVEAL_VERSION, "know"});
}

TEST_F(CEdges, NumbersWithoutTheirFlag) {
  options.scale = 0.25;
  expect(FOVEAL_USAGE, {"options->scale is 0.25 but has_scale is 0"});
  options.has_scale = 1;
  options.query_offset = 7;
  expect(FOVEAL_USAGE, {"options->query_offset is 7 but has_query_offset is 0"});
  options.query_offset = 0;
  options.reserved = 1;
  expect(FOVEAL_USAGE, {"options->reserved"});
}

TEST_F(CEdges, AScaleAndAnOffsetOfZeroCount) {
  Tensor keys = Tensor::arange(2 * 3 * 5 * 4).to(DType::float32).view({2, 3, 5, 4});
  k = v = described(keys);
  options.has_scale = 1;
  ASSERT_EQ(call(), 0);
  EXPECT_NEAR(room.at({0, 0, 0, 0}), 8, 1e-5);  // the mean of 0, 4, ..., 16
  options.mask = "causal";
  options.has_query_offset = 1;
  ASSERT_EQ(call(), 0);
  EXPECT_NEAR(room.at({0, 0, 1, 0}), 2, 1e-5);
}

TEST_F(CEdges, Masks) {
  for (const char* text : {"", "causal(", "cuasal", "window(1)", "causal & ", "dense(0", "\xff"}) {
    options.mask = text;
    expect(FOVEAL_USAGE, {"mask, character"});
  }
  for (const char* text : {"dense(0)", "dense(mask.npy)", "padding(-1)", "document(99999999999)"}) {
    options.mask = text;
    expect(FOVEAL_USAGE, {"options->mask names", "0 mask_tensors", "no file is read"});
  }
  Tensor visible = Tensor::ones({5, 5}, DType::boolean);
  const foveal_tensor tensors[] = {described(visible), {}};
  options.mask = "dense(0)";
  options.mask_tensor_count = 1;
  expect(FOVEAL_USAGE, {"mask_tensors is NULL"});
  options.mask_tensor_count = -1;
  expect(FOVEAL_USAGE, {"mask_tensor_count is -1"});
  options.mask_tensors = tensors;
  options.mask_tensor_count = 2;
  EXPECT_EQ(call(), 0) << foveal_last_error();  // what isn't named isn't looked at
  room.fill_(9);
  options.mask = "dense(1)";
  expect(FOVEAL_DATA, {"options->mask_tensors[1]"});
  options.mask = "padding(0)";
  expect(FOVEAL_DATA, {"padding", "bool", "int64"});
  options.mask = nullptr;
  expect(FOVEAL_USAGE, {"mask is NULL but mask_tensor_count is 2"});
}

TEST_F(CEdges, ListsAndTargets) {
  Tensor numbers = Tensor::arange(2), none = Tensor::zeros({0}, DType::int64);
  foveal_tensor lengths = described(numbers);
  options.key_lengths = &lengths;
  lengths.dtype = FOVEAL_FLOAT64;
  expect(FOVEAL_DATA, {"options->key_lengths", "float64", "int64 with one axis"});
  lengths = described(none);
  expect(FOVEAL_DATA, {"options->key_lengths has no numbers"});
  lengths = described(numbers);
  lengths.shape[0] = 1;
  expect(FOVEAL_DATA, {"key_lengths has 1 numbers", "2 entries"});
  lengths = described(numbers);
  EXPECT_EQ(call(), 0) << foveal_last_error();
  room.fill_(9);
  options.key_lengths = nullptr;
  options.target = "abacus";
  expect(FOVEAL_USAGE, {"abacus", "portable"});
  options.target = "";
  EXPECT_EQ(call(), 0) << foveal_last_error();
}

}  // namespace
}  // namespace foveal
