// What the chapter's programs print: golden numbers, not only what the programs printed once. Each
// program's output is held to tests/examples/expected/ when it runs; here those files are held to
// the golden cases.

#include <map>
#include <sstream>

#include "golden/golden.h"

namespace foveal {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << "can't read " << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string expected_output(const std::string& program) {
  return read_text(FOVEAL_TEST_DATA "/../examples/expected/" + program + ".txt");
}

/// Values of one case that a program prints.
struct Printed {
  std::string program, id;
  std::vector<std::string> paths;
  DType dtype = DType::float32;
};

const std::vector<Printed>& printed_tensors() {
  static const std::vector<Printed> all = {
      {"01_simple_attention", "simple_scores_query2", {"/values/attn_scores_2"}},
      {"01_simple_attention", "simple_weights_sum", {"/values/attn_weights_2_tmp"}},
      {"01_simple_attention", "simple_weights_softmax", {"/values/attn_weights_2"}},
      {"01_simple_attention", "simple_context_query2", {"/values/context_vec_2"}},
      {"02_naive_softmax", "simple_weights_naive_softmax", {"/values/attn_weights_2_naive"}},
      {"03_simple_attention_all", "simple_scores_all", {"/values/attn_scores"}},
      {"03_simple_attention_all", "simple_weights_all", {"/values/attn_weights"}},
      {"03_simple_attention_all", "simple_context_all", {"/values/all_context_vecs"}},
      {"04_trainable_weights",
       "trainable_weights",
       {"/values/W_query", "/values/W_key", "/values/W_value"}},
      {"04_trainable_weights",
       "trainable_projections",
       {"/values/query_2", "/values/keys", "/values/values"}},
      {"04_trainable_weights",
       "trainable_scores_query2",
       {"/values/attn_score_22", "/values/attn_scores_2"}},
      {"04_trainable_weights", "trainable_weights_query2", {"/values/attn_weights_2"}},
      {"04_trainable_weights", "trainable_context_query2", {"/values/context_vec_2"}},
      {"05_self_attention_classes", "self_attention_v1", {"/parameters/W_query", "/output"}},
      {"05_self_attention_classes", "self_attention_v2", {"/parameters/W_query.weight", "/output"}},
      {"06_exercise_3_1", "exercise_3_1", {"/output"}},
      {"07_causal_mask",
       "causal_weights_unmasked",
       {"/values/attn_scores", "/values/attn_weights"}},
      {"07_causal_mask", "causal_tril_mask", {"/values/mask_simple"}},
      {"07_causal_mask", "causal_masked_after_softmax", {"/values/masked_simple"}},
      {"07_causal_mask", "causal_renormalised", {"/values/masked_simple_norm"}},
      {"07_causal_mask", "causal_masked_scores", {"/values/masked"}},
      {"07_causal_mask", "causal_weights", {"/values/attn_weights"}},
      {"09_dropout", "dropout_ones", {"/output"}},
      {"09_dropout", "dropout_weights", {"/output"}},
      {"10_causal_attention_class", "causal_attention", {"/output"}},
      {"11_multi_head_wrapper", "multi_head_wrapper", {"/output"}},
      {"12_exercise_3_2", "exercise_3_2", {"/output"}},
      {"13_batched_matmul", "batched_matmul", {"/output"}},
      {"15_multi_head_attention", "multi_head", {"/output"}},
      {"17_multi_head_data_loading", "data_loading", {"/x", "/y"}, DType::int64},
      {"18_buffers", "buffers", {"/without_output", "/with_output"}},
      {"18_buffers", "buffers", {"/without_output", "/with_output"}, DType::float64},
      {"18_buffers", "buffers", {"/with_parameters/mask"}},
      {"19_worked_example",
       "the_cat_sat",
       {"/values/Q", "/values/K", "/values/V", "/values/scores", "/values/weights_unscaled",
        "/values/context_unscaled", "/values/weights_scaled", "/values/context_scaled",
        "/printed/scores_The"}},
  };
  return all;
}

void expect_printed(const std::string& program, const std::string& text) {
  const std::string line = "\n" + text + "\n";
  EXPECT_NE(expected_output(program).find(line), std::string::npos) << program << " doesn't print\n"
                                                                    << text;
}

json golden_value(const std::string& id, const std::string& path) {
  return golden_case(id).at(json::json_pointer(path));
}

TEST(Printed, TensorsAreGolden) {
  for (const Printed& printed : printed_tensors()) {
    for (const std::string& path : printed.paths) {
      const Tensor golden = golden_tensor(golden_value(printed.id, path), printed.dtype);
      expect_printed(printed.program, to_string(golden));
    }
  }
}

/// Rows of 256 numbers: the program shows eight.
TEST(Printed, BeginningsOfEmbeddingsAreGolden) {
  for (const std::string name : {"input_embeddings", "variant_a", "variant_b"}) {
    const Tensor row = golden_tensor(golden_value("data_loading", "/" + name + "/first_row"));
    expect_printed("17_multi_head_data_loading", to_string(row.slice(0, 0, 8)));
  }
}

TEST(Printed, CountsAreGolden) {
  EXPECT_EQ(golden_value("exercise_3_3", "/parameter_count"), 2360064);
  expect_printed("16_exercise_3_3", "together 2,360,064 parameters");
  const std::string output = expected_output("17_multi_head_data_loading");
  const std::size_t tokens = golden_value("data_loading", "/token_ids").size();
  EXPECT_EQ(output.find(std::to_string(tokens) + " tokens from a vocabulary of 50257"), 0u);
  const int windows = golden_value("data_loading", "/windows");
  expect_printed("17_multi_head_data_loading", std::to_string(windows) + " windows");
}

// --- docs/chapter.md

/// The words of a line that stand in backquotes, from column to column of its table.
std::vector<std::vector<std::string>> quoted_by_column(const std::string& line) {
  std::vector<std::vector<std::string>> columns(1);
  bool quoted = false;
  for (char letter : line) {
    if (letter == '`') {
      quoted = !quoted;
      if (quoted) columns.back().emplace_back();
    } else if (quoted) {
      columns.back().back() += letter;
    } else if (letter == '|') {
      columns.emplace_back();
    }
  }
  return columns;
}

/// Program (empty where there is none) -> its cases, as the page's table has them.
std::map<std::string, std::set<std::string>> table_of_chapter_page() {
  std::map<std::string, std::set<std::string>> table;
  std::istringstream page(read_text(FOVEAL_TEST_DATA "/../../docs/chapter.md"));
  for (std::string line; std::getline(page, line);) {
    if (line.empty() || line.front() != '|') continue;
    const auto columns = quoted_by_column(line);
    const auto& programs = columns.at(3);
    const auto& ids = columns.at(4);
    table[programs.empty() ? "" : programs.front()].insert(ids.begin(), ids.end());
  }
  return table;
}

TEST(ChapterPage, NamesEveryCase) {
  std::set<std::string> named;
  for (const auto& [program, ids] : table_of_chapter_page()) named.insert(ids.begin(), ids.end());
  std::set<std::string> all;
  for (const json& test_case : golden_cases()) all.insert(test_case.at("id"));
  EXPECT_EQ(named, all);
}

TEST(ChapterPage, NamesEveryProgramWithTheCasesItPrints) {
  std::map<std::string, std::set<std::string>> printed;
  for (const Printed& entry : printed_tensors()) printed[entry.program].insert(entry.id);
  printed["16_exercise_3_3"] = {"exercise_3_3"};
  for (const char* const own : {"08_fully_masked_row", "14_splitting_heads", "20_nine_variants"}) {
    printed[own] = {};
  }
  auto table = table_of_chapter_page();
  table.erase("");
  EXPECT_EQ(table, printed);
  for (const auto& [program, ids] : table) {
    EXPECT_FALSE(expected_output(program).empty()) << program;
    EXPECT_FALSE(read_text(FOVEAL_TEST_DATA "/../../examples/chapter3/" + program + ".cc").empty());
  }
}

}  // namespace
}  // namespace foveal
