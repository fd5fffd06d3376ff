#include "trace/cell_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "draw/terminal.h"
#include "draw/text.h"

namespace foveal::trace {

namespace {

struct Words {
  std::string cell;  ///< before "(query, key)" or "_token"
  std::string row;   ///< "the weights"; empty where the row is "K_token"
};

const Words& words(const std::string& step) {
  static const std::map<std::string, Words> all = {
      {"inputs", {"X", ""}},
      {"queries", {"Q", ""}},
      {"keys", {"K", ""}},
      {"values", {"V", ""}},
      {"scores", {"Score", "the scores"}},
      {"scaled_scores", {"Scaled score", "the scaled scores"}},
      {"mask", {"Mask", "the mask"}},
      {"masked_scores", {"Masked score", "the masked scores"}},
      {"weights", {"Weight", "the weights"}},
      {"dropout_mask", {"Dropout mask", "the dropout mask"}},
      {"dropped_weights", {"Dropped weight", "the dropped weights"}},
      {"context", {"Context", "the context"}},
      {"output", {"Output", "the output"}},
  };
  return all.at(step);
}

std::string of_head(const std::vector<std::int64_t>& cell) {
  return cell.size() == 3 ? fmt::format(" of head {}", cell[0]) : "";
}

}  // namespace

Place place_of(const std::vector<std::int64_t>& cell) {
  if (cell.size() == 3) return {cell[0], cell[1], cell[2]};
  return {0, cell[0], cell[1]};
}

std::string token_name(const Input& input, std::int64_t token) {
  const std::string& text = input.tokens[static_cast<std::size_t>(token)];
  const auto times = std::count(input.tokens.begin(), input.tokens.end(), text);
  return draw::terminal::cut(draw::visible(text), 16) +
         (times > 1 ? fmt::format("#{}", token) : "");
}

bool is_projection(const std::string& step) {
  return step == "queries" || step == "keys" || step == "values";
}

bool is_logit(const std::string& step) {
  return step == "scores" || step == "scaled_scores" || step == "masked_scores";
}

bool is_pairwise(const std::string& step) {
  static const std::vector<std::string> pairwise = {
      "scores",  "scaled_scores", "mask",           "masked_scores",
      "weights", "dropout_mask",  "dropped_weights"};
  return std::find(pairwise.begin(), pairwise.end(), step) != pairwise.end();
}

std::string cell_name(const Input& input, const std::string& step,
                      const std::vector<std::int64_t>& cell) {
  const Place place = place_of(cell);
  const Words& word = words(step);
  const std::string row = token_name(input, place.row);
  if (is_pairwise(step)) {
    return fmt::format("{}({}, {}){}", word.cell, row, token_name(input, place.column),
                       of_head(cell));
  }
  if (!word.row.empty()) return fmt::format("{}({})[{}]", word.cell, row, place.column);
  return fmt::format("{}_{}[{}]{}", word.cell, row, place.column, of_head(cell));
}

std::string row_name(const Input& input, const std::string& step,
                     const std::vector<std::int64_t>& cell) {
  const Words& word = words(step);
  const std::string row = token_name(input, place_of(cell).row);
  if (!word.row.empty()) return fmt::format("{} of {}{}", word.row, row, of_head(cell));
  return fmt::format("{}_{}{}", word.cell, row, of_head(cell));
}

}  // namespace foveal::trace
