// The chapter's input files, examples/inputs/ch03_*.json: what they expect is what PyTorch gave, at
// four decimals, as the chapter prints it.

#include <cstdio>
#include <filesystem>
#include <map>

#include "golden/golden.h"

namespace foveal {
namespace {

const std::string kFolder = FOVEAL_TEST_DATA "/../../examples/inputs/";

/// A step of a file, and the golden value that its rows from `first` on are.
struct FromChapter {
  std::string file, step, id, path;
  std::int64_t first = 0;
};

const std::vector<FromChapter>& from_chapter() {
  static const std::vector<FromChapter> all = {
      {"3_3_simple_attention", "scores", "simple_scores_all", "/values/attn_scores"},
      {"3_3_simple_attention", "weights", "simple_weights_all", "/values/attn_weights"},
      {"3_3_simple_attention", "context", "simple_context_all", "/values/all_context_vecs"},
      {"3_4_trainable_weights", "queries", "trainable_projections", "/values/query_2", 1},
      {"3_4_trainable_weights", "scores", "trainable_scores_query2", "/values/attn_scores_2", 1},
      {"3_4_trainable_weights", "weights", "trainable_weights_query2", "/values/attn_weights_2", 1},
      {"3_4_trainable_weights", "context", "self_attention_v1", "/output"},
      {"3_4_2_self_attention_v2", "context", "self_attention_v2", "/output"},
      {"3_5_1_causal_mask", "scores", "causal_masked_scores", "/values/masked"},
      {"3_5_1_causal_mask", "weights", "causal_weights", "/values/attn_weights"},
      {"3_5_2_dropout", "weights", "causal_weights", "/values/attn_weights"},
      {"3_5_2_dropout", "dropped_weights", "dropout_weights", "/output"},
      {"3_5_3_causal_attention", "context", "causal_attention", "/output"},
      {"3_6_1_multi_head_wrapper", "context", "multi_head_wrapper", "/output"},
      {"3_6_2_multi_head", "output", "multi_head", "/output"},
  };
  return all;
}

json input_file(const std::string& name) {
  std::ifstream file(kFolder + name);
  EXPECT_TRUE(file.good()) << "can't read " << name;
  return json::parse(file);
}

/// As (rows, columns): of a batch of equal sequences the first, of one query its row.
Tensor golden_rows(const FromChapter& entry) {
  const json value = golden_case(entry.id).at(json::json_pointer(entry.path));
  const Tensor golden = golden_tensor(value, DType::float64);
  if (golden.rank() == 1) return golden.unsqueeze(0);
  return golden.rank() == 3 ? golden[0] : golden;
}

/// What isn't printed is null: rows before the first, and masked scores.
json printed(const Tensor& golden, std::int64_t row, std::int64_t column) {
  if (row < 0 || std::isinf(golden.at({row, column}))) return nullptr;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", golden.at({row, column}));
  return text.data();
}

TEST(Inputs, ExpectWhatPyTorchGave) {
  for (const FromChapter& entry : from_chapter()) {
    const json expected = input_file("ch03_" + entry.file + ".json").at("expected").at(entry.step);
    const Tensor golden = golden_rows(entry);
    json rows = json::array();
    for (std::int64_t i = -entry.first; i < golden.size(0); ++i) {
      rows.push_back(json::array());
      for (std::int64_t j = 0; j < golden.size(1); ++j) {
        rows.back().push_back(printed(golden, i, j));
      }
    }
    EXPECT_EQ(expected, rows) << entry.file << ", " << entry.step;
  }
}

TEST(Inputs, AreAllHeldToTheChapter) {
  std::map<std::string, std::set<std::string>> held, there;
  for (const FromChapter& entry : from_chapter()) {
    held["ch03_" + entry.file + ".json"].insert(entry.step);
  }
  const json tokens = {"Your", "journey", "starts", "with", "one", "step"};
  for (const auto& file : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = file.path().filename().string();
    if (name.rfind("ch03_", 0) != 0) continue;
    const json document = input_file(name);
    for (const auto& step : document.at("expected").items()) there[name].insert(step.key());
    EXPECT_EQ(document.at("tokens"), tokens) << name;
    EXPECT_TRUE(equal(golden_tensor(document.at("inputs")), chapter_inputs())) << name;
  }
  EXPECT_EQ(there, held);
}

/// Section 3.6.1's heads draw one after the other, which no `weights` says: the file holds W.
TEST(Inputs, TheWrapperHoldsWhatPyTorchDrew) {
  const json document = input_file("ch03_3_6_1_multi_head_wrapper.json");
  const json parameters = golden_case("multi_head_wrapper").at("parameters");
  for (const std::string name : {"W_query", "W_key", "W_value"}) {
    std::vector<Tensor> heads;
    for (const std::string head : {"heads.0.", "heads.1."}) {
      heads.push_back(golden_tensor(parameters.at(head + name + ".weight")).transpose(0, 1));
    }
    EXPECT_TRUE(equal(golden_tensor(document.at(name)), cat(heads, 1))) << name;
  }
}

}  // namespace
}  // namespace foveal
