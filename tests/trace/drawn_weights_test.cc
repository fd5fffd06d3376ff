// `weights` of an input: W drawn as the chapter's classes draw it, held to PyTorch's numbers.

#include "trace/input/drawn_weights.h"

#include "errors.h"
#include "golden/golden.h"
#include "trace/run/record.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

/// The chapter's six inputs with `weights`, and `more` keys.
std::string document(const std::string& weights, const std::string& more = "") {
  return R"({"inputs": [[0.43, 0.15, 0.89], [0.55, 0.87, 0.66], [0.57, 0.85, 0.64],
                        [0.22, 0.58, 0.33], [0.77, 0.25, 0.10], [0.05, 0.80, 0.55]], "weights": )" +
         weights + more + "}";
}

Input input_of(const std::string& weights, const std::string& more = "") {
  return parse_input(document(weights, more), "f.json");
}

/// Of a golden case, "W_query.weight": as inputs · W takes it.
Tensor golden_parameter(const std::string& id, const std::string& name) {
  const Tensor drawn = golden_tensor(golden_case(id).at("parameters").at(name), DType::float64);
  const bool of_linear = name.find(".weight") != std::string::npos;
  return of_linear ? drawn.transpose(0, 1) : drawn;
}

/// The golden context or output of one sequence.
void expect_last_step(const std::string& id, const Input& input) {
  const Record record = run(input);
  Tensor golden = golden_tensor(golden_case(id).at("output"), DType::float64);
  if (golden.rank() == 3) golden = golden[0];
  EXPECT_TRUE(allclose(record.steps.back().data, golden, 0, 1e-6)) << id;
}

TEST(DrawnWeights, RandIsWhatSelfAttentionV1Draws) {
  const Input input = input_of(R"({"seed": 123, "init": "rand", "d_out": 2})");
  EXPECT_TRUE(equal(input.W_query, golden_parameter("self_attention_v1", "W_query")));
  EXPECT_TRUE(equal(input.W_key, golden_parameter("self_attention_v1", "W_key")));
  EXPECT_TRUE(equal(input.W_value, golden_parameter("self_attention_v1", "W_value")));
  EXPECT_FALSE(input.b_query.defined() || input.W_out.defined());
  EXPECT_FALSE(input.W_query.requires_grad());
  EXPECT_EQ(input.settings.scale.kind, Scale::Kind::sqrt);
  expect_last_step("self_attention_v1", input);
}

TEST(DrawnWeights, LinearIsWhatSelfAttentionV2DrawsTransposed) {
  const Input input = input_of(R"({"seed": 789, "init": "linear", "d_out": 2, "qkv_bias": false})");
  EXPECT_TRUE(equal(input.W_query, golden_parameter("self_attention_v2", "W_query.weight")));
  EXPECT_TRUE(equal(input.W_key, golden_parameter("self_attention_v2", "W_key.weight")));
  EXPECT_TRUE(equal(input.W_value, golden_parameter("self_attention_v2", "W_value.weight")));
  EXPECT_TRUE(input.W_query.is_contiguous());
  EXPECT_FALSE(input.b_query.defined() || input.W_query.requires_grad());
  expect_last_step("self_attention_v2", input);
  expect_last_step("causal_attention", input_of(R"({"seed": 123, "init": "linear", "d_out": 2})",
                                                R"(, "mask": "causal")"));
}

TEST(DrawnWeights, OutProjIsDrawnAfterTheThree) {
  const Input input = input_of(R"({"seed": 123, "init": "linear", "d_out": 2, "out_proj": true})",
                               R"(, "num_heads": 2, "mask": "causal")");
  EXPECT_TRUE(equal(input.W_value, golden_parameter("multi_head", "W_value.weight")));
  EXPECT_TRUE(equal(input.W_out, golden_parameter("multi_head", "out_proj.weight")));
  EXPECT_TRUE(equal(input.b_out, golden_parameter("multi_head", "out_proj.bias")));
  expect_last_step("multi_head", input);
}

TEST(DrawnWeights, EachLinearDrawsItsBiasAfterItsWeight) {
  const Input input = input_of(R"({"seed": 5, "init": "linear", "d_out": 4, "qkv_bias": true})");
  Generator generator(5);
  rand({4 * 3}, generator);  // of W_query
  const Tensor unit = rand({4}, generator).to(DType::float64);
  const double bound = 1 / std::sqrt(3.0);
  EXPECT_TRUE(allclose(input.b_query, (unit * 2.0 - 1.0) * bound, 0, 1e-6));
  EXPECT_TRUE(input.b_key.defined() && input.b_value.defined());
  EXPECT_FALSE(equal(input.b_query, input.b_key));
}

TEST(DrawnWeights, WOutMayBeTyped) {
  const Input input = input_of(R"({"seed": 1, "init": "rand", "d_out": 2})",
                               R"(, "W_out": [[1], [2]], "b_out": [3])");
  EXPECT_EQ(input.W_out.to_vector(), (std::vector<double>{1, 2}));
}

TEST(DrawnWeights, TheRecordTellsOfTheSeed) {
  const auto note = [](const Input& input, StepName step) {
    return find_step(run(input), step)->note;
  };
  const Input rand = input_of(R"({"seed": 123, "init": "rand", "d_out": 2})");
  EXPECT_NE(note(rand, StepName::queries).find("drawn from seed 123"), std::string::npos);
  EXPECT_NE(note(rand, StepName::queries).find("SelfAttention_v1"), std::string::npos);
  const Input linear = input_of(R"({"seed": 7, "init": "linear", "d_out": 2, "out_proj": true})");
  EXPECT_NE(note(linear, StepName::queries).find("as PyTorch's Linear draws"), std::string::npos);
  EXPECT_NE(note(linear, StepName::output).find("W_out and b_out are drawn"), std::string::npos);
  const Input typed =
      input_of(R"({"seed": 1, "init": "rand", "d_out": 2})", R"(, "W_out": [[1], [2]])");
  EXPECT_EQ(note(typed, StepName::output).find("drawn"), std::string::npos);
}

/// The whole error, which is one line.
void expect_error(const std::string& weights, const std::string& more, const std::string& error) {
  EXPECT_EQ(message_of([&] { input_of(weights, more); }), "f.json: " + error);
}

TEST(DrawnWeights, NamesThePlaceAndTheRule) {
  expect_error("[1]", "", "/weights: must be an object, not a list");
  expect_error(R"({"init": "rand", "d_out": 2})", "",
               R"(/weights: has no key "seed": "seed", "init" and "d_out" are needed)");
  expect_error(R"({"seed": 1, "d_out": 2})", "",
               R"(/weights: has no key "init": "seed", "init" and "d_out" are needed)");
  expect_error(R"({"seed": 1, "init": "rand"})", "",
               R"(/weights: has no key "d_out": "seed", "init" and "d_out" are needed)");
  expect_error(R"({"seed": 1, "init": "rand", "d_out": 2, "bias": true})", "",
               R"(/weights/bias: unknown key; known here: "seed", "init", "d_out", "qkv_bias", )"
               R"("out_proj")");
  expect_error(R"({"seed": -1, "init": "rand", "d_out": 2})", "",
               "/weights/seed: must be a whole number from 0 to 2^64 - 1, not -1");
  expect_error(R"({"seed": 1.5, "init": "rand", "d_out": 2})", "",
               "/weights/seed: must be a whole number from 0 to 2^64 - 1, not 1.5");
  expect_error(R"({"seed": 1, "init": "randn", "d_out": 2})", "",
               R"(/weights/init: must be "rand" (three torch.rand) or "linear" (three nn.Linear), )"
               R"(not the text "randn")");
  expect_error(R"({"seed": 1, "init": "rand", "d_out": 0})", "",
               "/weights/d_out: must be a whole number from 1 on, not 0");
  expect_error(R"({"seed": 1, "init": "rand", "d_out": 1000000000000})", "",
               "/weights/d_out: is 1000000000000 and d_in is 3: three W and W_out of this size are "
               "more than the 2^24 numbers that an input may draw");
  expect_error(
      R"({"seed": 1, "init": "rand", "d_out": 4096})", "",
      "/weights/d_out: is 4096 and d_in is 3: three W and W_out of this size are more than "
      "the 2^24 numbers that an input may draw");
  expect_error(R"({"seed": 1, "init": "linear", "d_out": 2, "qkv_bias": 1})", "",
               "/weights/qkv_bias: must be true or false, not 1");
  expect_error(
      R"({"seed": 1, "init": "rand", "d_out": 2, "qkv_bias": true})", "",
      R"(/weights/qkv_bias: is true but init is "rand", which draws three matrices and no )"
      R"(bias, as SelfAttention_v1 does: init "linear" has one)");
  expect_error(
      R"({"seed": 1, "init": "rand", "d_out": 2, "out_proj": true})", "",
      R"(/weights/out_proj: is true but init is "rand", which draws three matrices and no )"
      R"(output projection, as SelfAttention_v1 does: init "linear" has one)");
  expect_error(R"({"seed": 1, "init": "linear", "d_out": 3})", R"(, "num_heads": 2)",
               "/weights/d_out: is 3 but num_heads is 2: heads must divide it evenly");
}

TEST(DrawnWeights, StandAlone) {
  const std::string good = R"({"seed": 1, "init": "linear", "d_out": 2})";
  const std::string rule =
      ": weights are drawn, or their numbers are given; leave out one of the two";
  expect_error(good, R"(, "W_query": [[1], [1], [1]])",
               R"(/weights: is given beside "W_query")" + rule);
  expect_error(good, R"(, "b_value": [1], "W_key": [[1], [1], [1]])",
               R"(/weights: is given beside "W_key", "b_value")" + rule);
  expect_error(R"({"seed": 1, "init": "linear", "d_out": 2, "out_proj": true})",
               R"(, "b_out": [1])", R"(/weights/out_proj: is given beside "b_out")" + rule);
}

}  // namespace
}  // namespace foveal::trace
