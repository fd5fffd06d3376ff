// What a plan says must be so: counts against the mask bit by bit, words against JSON.

#include "foveal/plan.h"

#include <nlohmann/json.hpp>

#include "attention/cases.h"
#include "attention/plan/plan_data.h"
#include "case_count.h"
#include "foveal/error.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Plan plan_of(const Case& one) {
  return plan_attention(one.query.shape(), one.key.shape(), one.value.shape(), one.query.dtype(),
                        one.options);
}

std::int64_t pairs_seen(const Case& one) {
  const MaskShape shape{one.query.size(0), one.query.size(1), one.query.size(2), one.key.size(2)};
  const auto mask = one.options.mask.node().bind(shape);
  std::int64_t pairs = 0;
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t h = 0; h < shape.heads; ++h) {
      for (std::int64_t i = 0; i < shape.query_length; ++i) {
        for (std::int64_t j = 0; j < shape.key_length; ++j) pairs += mask->word(b, h, i, j) & 1;
      }
    }
  }
  return pairs;
}

TEST(Plan, CountsWhatTheMaskNeeds) {
  for (unsigned seed = 0; seed < case_count(20); ++seed) {
    Cases cases(seed);
    const Case one = make_case(cases, DType::float32);
    const json plan = json::parse(plan_of(one).to_json());
    const json& work = plan["work"];
    const std::int64_t per_pair = one.query.size(3) + one.value.size(3);
    const std::int64_t needed = work["pairs_needed"], done = work["pairs_done"];
    EXPECT_EQ(needed, pairs_seen(one)) << seed;
    EXPECT_LE(needed, done);
    EXPECT_LE(done, work["pairs_without_mask"]);
    EXPECT_EQ(work["multiplications_needed"], needed * per_pair);
    EXPECT_EQ(work["multiplications_done"], done * per_pair);
    const json& tiles = plan["tiles"];
    EXPECT_LE(done, (tiles["full"].get<std::int64_t>() + tiles["partial"].get<std::int64_t>()) *
                        tiles["queries"].get<std::int64_t>() * tiles["keys"].get<std::int64_t>());
  }
}

TEST(Plan, SkipsWhatAWindowHides) {
  const Shape shape{2, 4, 4096, 64};
  AttentionOptions options{.mask = causal() & window(128, 0)};
  const json plan =
      json::parse(plan_attention(shape, shape, shape, DType::float32, options).to_json());
  EXPECT_LT(plan["work"]["pairs_done"].get<double>(),
            0.08 * plan["work"]["pairs_without_mask"].get<double>());
  EXPECT_GT(plan["tiles"]["empty"].get<double>(), 0);
}

TEST(Plan, TellsTheSameInWordsAndInJson) {
  const Shape query{1, 8, 100, 64}, key{1, 2, 200, 64}, value{1, 2, 200, 32};
  for (const Target* target : usable_targets()) {
    AttentionOptions options{.mask = causal(Corner::bottom_right)};
    options.target = target->name;
    options.dropout = 0.1;
    const Plan plan = plan_attention(query, key, value, DType::bfloat16, options);
    const std::string words = plan.explain();
    const json facts = json::parse(plan.to_json());
    EXPECT_EQ(facts["schema"], "foveal.plan/1");
    EXPECT_EQ(facts["target"], target->name);
    EXPECT_EQ(
        facts["shape"],
        (json{
            {"B", 1}, {"H", 8}, {"H_kv", 2}, {"L_q", 100}, {"L_k", 200}, {"D", 64}, {"D_v", 32}}));
    EXPECT_EQ(facts["mask"], "causal(bottom_right)");
    EXPECT_EQ(facts["dtype"], "bfloat16");
    EXPECT_TRUE(facts["fused"]);
    EXPECT_TRUE(facts["beyond_fused"].empty());
    EXPECT_TRUE(contains(words, "causal(bottom_right)")) << words;
    EXPECT_TRUE(contains(words, std::string("target ") + target->name + ": asked for")) << words;
    for (const json& reason : facts["reasons"]) EXPECT_TRUE(contains(words, reason)) << reason;
  }
}

TEST(Plan, SaysWhatBecomesOfBfloat16) {
  const Shape shape{1, 2, 50, 16};
  for (const Target* target : usable_targets()) {
    AttentionOptions options;
    options.target = target->name;
    const bool multiplied = std::string(target->name) == "avx512_bf16";
    const Plan plan = plan_attention(shape, shape, shape, DType::bfloat16, options);
    EXPECT_EQ(contains(plan.explain(), "bfloat16 is multiplied as it is"), multiplied);
    EXPECT_EQ(contains(plan.explain(), "has no products of bfloat16"), !multiplied);
    const Plan other = plan_attention(shape, shape, shape, DType::float16, options);
    EXPECT_TRUE(contains(other.explain(), "float16 is widened to float32 by each thread"));
    options.return_weights = true;
    const Plan both = plan_attention(shape, shape, shape, DType::float16, options);
    EXPECT_TRUE(contains(both.explain(), "float16 is widened to float32 once"));
  }
}

TEST(Plan, SaysWhereItDecodes) {
  for (const std::int64_t queries : {1, 2, 4, 5}) {
    const Plan plan =
        plan_attention({2, 8, queries, 16}, {2, 2, 5000, 16}, {2, 2, 5000, 16}, DType::float16);
    const bool few = queries * 4 <= 16;
    EXPECT_TRUE(contains(plan.explain(), "decode: ")) << queries;
    EXPECT_EQ(contains(plan.explain(), "in registers"), few) << queries;
    EXPECT_EQ(contains(plan.explain(), " rows a tile: "), !few) << queries;
    EXPECT_EQ(contains(plan.explain(), "tile by tile"), !few) << queries;
    EXPECT_FALSE(contains(plan.explain(), "queries a tile"));
    EXPECT_TRUE(contains(plan.explain(), "; the forward goes by rows instead\n"));
    const json facts = json::parse(plan.to_json());
    EXPECT_EQ(
        facts["grouped_rows"],
        (json{{"rows", {4 * queries}}, {"splits", {3}}, {"tiled", !few}, {"tasks", 2 * 2 * 3}}));
  }
  const Plan one_head =
      plan_attention({2, 2, 30, 16}, {2, 2, 500, 16}, {2, 2, 500, 16}, DType::float16);
  EXPECT_FALSE(contains(one_head.explain(), "decode: "));
  EXPECT_TRUE(json::parse(one_head.to_json())["grouped_rows"].is_null());
}

TEST(Plan, TellsOfRowsAndTilesOfOnePackedBatch) {
  AttentionOptions options;
  options.query_starts = {0, 1, 201, 203};
  options.key_starts = {0, 3000, 3200, 3250};
  const Plan plan =
      plan_attention({1, 8, 203, 16}, {1, 4, 3250, 16}, {1, 4, 3250, 16}, DType::float32, options);
  EXPECT_TRUE(contains(plan.explain(),
                       "grouped rows: 2 to 4 a KV head (query heads that share it: 2, times "
                       "queries), by 1 to 2 splits of keys: 12 tasks\n"))
      << plan.explain();
  EXPECT_TRUE(contains(plan.explain(), "empty and skipped\n")) << plan.explain();
}

TEST(Plan, TellsOfPlacesAndLengths) {
  const Shape query{2, 2, 3, 16}, key{2, 2, 50, 16};
  const Plan plain = plan_attention(query, key, key, DType::float32);
  EXPECT_FALSE(contains(plain.explain(), "places:"));
  AttentionOptions options;
  options.key_lengths = {9, 50};
  options.query_offsets = {70, 70};
  options.key_offset = 5;
  const Plan plan = plan_attention(query, key, key, DType::float32, options);
  EXPECT_TRUE(
      contains(plan.explain(), "places: key_lengths 9 to 50, query_offsets 70, key_offset 5\n"));
  const json places = json::parse(plan.to_json())["places"];
  EXPECT_EQ(places["key_lengths"], json({9, 50}));
  EXPECT_EQ(places["query_offsets"], json({70, 70}));
  EXPECT_EQ(places["key_offset"], 5);
  EXPECT_TRUE(places["query_offset"].is_null());
}

TEST(Plan, NamesWhatIsBeyondTheFusedPass) {
  const Shape shape{1, 2, 50, 16};
  AttentionOptions options;
  options.return_weights = true;
  const Plan plan = plan_attention(shape, shape, shape, DType::float32, options);
  EXPECT_FALSE(json::parse(plan.to_json())["fused"]);
  EXPECT_TRUE(contains(plan.explain(), "beyond the fused pass: "));
  EXPECT_GE(json::parse(plan.to_json())["memory"]["result_bytes"], 4 * (2 * 50 * 50 + 2 * 50 * 16));
  options.strict = true;
  EXPECT_THROW(plan_attention(shape, shape, shape, DType::float32, options), Error);
}

TEST(Plan, SaysWhatTheBackwardTakes) {
  const auto bytes = [](std::int64_t length) {
    const Shape shape{1, 2, length, 16};
    const Plan plan = plan_attention(shape, shape, shape, DType::float32, {});
    EXPECT_TRUE(contains(plan.explain(), "the backward takes "));
    return json::parse(plan.to_json())["memory"]["backward_bytes"].get<double>();
  };
  // One block of keys writes dQ itself; each block after it keeps a part of its own.
  EXPECT_GE(bytes(2048) - bytes(1024), 4.0 * 2 * 2048 * 16);
  // Linear: eight blocks at most, whatever the length.
  EXPECT_LE(bytes(1 << 17), 2.1 * bytes(1 << 16));
}

TEST(Plan, RepeatsTheLinter) {
  const Shape shape{1, 1, 4, 2};
  AttentionOptions options{.mask = prefix(0)};
  const Plan plan = plan_attention(shape, shape, shape, DType::float32, options);
  const json warnings = json::parse(plan.to_json())["warnings"];
  ASSERT_FALSE(warnings.empty());
  EXPECT_TRUE(contains(plan.explain(), "warning: " + warnings[0].get<std::string>()));
}

TEST(Plan, RunsAsAttentionDoesAndOnlyOnItsShapes) {
  Cases cases(3);
  const Case one = make_case(cases, DType::float32);
  const Plan plan = plan_of(one);
  const AttentionResult want = attention(one.query, one.key, one.value, one.options);
  EXPECT_TRUE(equal(plan.run(one.query, one.key, one.value).output, want.output));
  EXPECT_THROW(plan.run(Tensor::ones({9, 9, 9, 9}), one.key, one.value), Error);
  EXPECT_THROW(plan.run(one.query.to(DType::float64), one.key.to(DType::float64),
                        one.value.to(DType::float64)),
               Error);
}

TEST(Plan, OfEmptyLengthsHasNoWork) {
  for (const Shape& query : {Shape{1, 1, 0, 4}, Shape{0, 2, 3, 4}, Shape{1, 2, 3, 4}}) {
    const Shape key{query[0], query[1], 0, 4};
    const Plan plan = plan_attention(query, key, key, DType::float32, {});
    EXPECT_EQ(json::parse(plan.to_json())["work"]["multiplications_done"], 0);
    EXPECT_FALSE(plan.explain().empty());
  }
}

}  // namespace
}  // namespace foveal
