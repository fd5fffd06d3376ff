#include "trace/views/page/data.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "draw/look.h"
#include "trace/input/sizes.h"
#include "trace/run/arithmetic.h"
#include "trace/views/page/templates.h"

namespace foveal::trace {
namespace {

using nlohmann::json;
using Index = std::vector<std::int64_t>;

const Shown* find_matrix(const std::vector<Shown>& matrices, const std::string& name) {
  for (const Shown& shown : matrices) {
    if (shown.name == name) return &shown;
  }
  return nullptr;
}

/// [head, row, column] of a cell of `shown`.
std::array<std::int64_t, 3> place(const Shown& shown, const Index& cell) {
  if (shown.is_vector) return {0, 0, cell[0]};
  return {shown.has_heads ? cell[0] : 0, cell[cell.size() - 2], cell.back()};
}

Index index_of(const Shown& shown, std::int64_t head, std::int64_t row, std::int64_t column) {
  if (shown.has_heads) return {head, row, column};
  return {row, column};
}

void append(std::vector<std::string>& values, const Index& numbers) {
  for (const std::int64_t number : numbers) values.push_back(std::to_string(number));
}

class Data {
 public:
  Data(const Record& record, const std::vector<Shown>& matrices)
      : record_(record), matrices_(matrices), terms_(terms_on_page(record)) {
    for (const Shown& shown : matrices) names_.push_back(shown.name);
  }

  json all() const {
    json out;
    for (const Shown& shown : matrices_) {
      json matrix{{"name", shown.name},
                  {"title", shown.title},
                  {"first", {shown.rows.begin, shown.columns.begin}},
                  {"size", {shown.rows.size, shown.columns.size}},
                  {"heads", shown.has_heads},
                  {"vector", shown.is_vector}};
      if (shown.step) matrix["how"] = arithmetic_of(shown);
      out["matrices"].push_back(std::move(matrix));
    }
    const Pair pair = looked_at(record_);
    const Shown& scores = *find_matrix(matrices_, "scores");
    if (scores.has(pair.head, pair.query, pair.key)) {
      out["start"] = {{"matrix", &scores - matrices_.data()},
                      {"cell", {pair.head, pair.query, pair.key}}};
    }
    return out;
  }

 private:
  json arithmetic_of(const Shown& shown) const {
    StepTemplates templates;
    for (std::int64_t head = 0; head < shown.heads; ++head) {
      for (std::int64_t row = shown.rows.begin; row < shown.rows.end; ++row) {
        for (std::int64_t column = shown.columns.begin; column < shown.columns.end; ++column) {
          add(templates, shown, head, row, column);
        }
      }
    }
    return templates.json(names_);
  }

  void add(StepTemplates& templates, const Shown& shown, std::int64_t head, std::int64_t row,
           std::int64_t column) const {
    StepTemplates::Cell cell;
    cell.index = index_of(shown, head, row, column);
    if (!shown.step) return;
    const Arithmetic how = arithmetic(record_, *shown.step, cell.index, terms_);
    cell.letters = pretty(how.letters);
    cell.numbers = pretty(how.numbers);
    const auto [own, largest] = scores_of(shown, how.sources, cell.index);
    cell.values_of_numbers = {shown.text(head, row, column), own, largest};
    for (const Source& source : how.sources) {
      const Shown* from = find_matrix(matrices_, source.matrix);
      if (from == nullptr) continue;
      const auto [h, i, j] = place(*from, source.cell);
      if (!from->has(h, i, j)) continue;
      cell.sources.push_back(source);
      cell.values_of_numbers.push_back(from->text(h, i, j));
    }
    const std::int64_t flat = (head * shown.rows.size + row) * shown.columns.size + column;
    cell.values_of_letters = {std::to_string(flat)};
    append(cell.values_of_letters, cell.index);
    append(cell.values_of_numbers, cell.index);
    cell.values_of_numbers.push_back(std::to_string(flat));
    // Of the sources the first two tell what stays the same in all: row i of X, column c of W.
    for (std::size_t k = 0; k < std::min<std::size_t>(cell.sources.size(), 2); ++k) {
      append(cell.values_of_letters, cell.sources[k].cell);
    }
    templates.add(cell);
  }

  /// Of a weight its own score, and the largest of its row: both stand in all weights of a row, at
  /// another of the sources in each.
  struct Scores {
    std::string own, largest;
  };
  Scores scores_of(const Shown& shown, const std::vector<Source>& sources,
                   const Index& cell) const {
    Scores scores;
    if (shown.step != StepName::weights) return scores;
    double highest = -std::numeric_limits<double>::infinity();
    for (const Source& source : sources) {
      const Shown* from = find_matrix(matrices_, source.matrix);
      const auto [h, i, j] = place(*from, source.cell);
      if (!from->has(h, i, j)) continue;
      if (source.cell == cell) scores.own = from->text(h, i, j);
      if (!(from->value(h, i, j) > highest)) continue;
      highest = from->value(h, i, j);
      scores.largest = from->text(h, i, j);
    }
    return scores;
  }

  const Record& record_;
  const std::vector<Shown>& matrices_;
  Terms terms_;
  std::vector<std::string> names_;
};

}  // namespace

Terms terms_on_page(const Record& record) {
  const Sizes sizes = sizes_of(record.input);
  const bool whole = std::max({sizes.L, sizes.d_in, sizes.d, sizes.d_v}) <= draw::kMostCells;
  return whole ? Terms::all : Terms::largest;
}

std::string page_data(const Record& record, const std::vector<Shown>& matrices) {
  const std::string text = Data(record, matrices).all().dump();
  std::string safe;
  for (const char letter : text) {
    if (letter == '<') {
      safe += "\\u003c";
    } else {
      safe += letter;
    }
  }
  return safe;
}

}  // namespace foveal::trace
