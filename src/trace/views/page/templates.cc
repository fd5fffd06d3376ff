#include "trace/views/page/templates.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/ascii.h"
#include "core/filled.h"

namespace foveal::trace {
namespace {

/// How many of the latest ones are tried before a new one is made.
constexpr std::size_t kTried = 24;

const std::string kMinus = "−";

bool starts_with(const std::string& text, std::size_t at, const std::string& part) {
  return text.compare(at, part.size(), part) == 0;
}

bool follows(const std::string& text, std::size_t at, const std::string& part) {
  return at >= part.size() && starts_with(text, at - part.size(), part);
}

bool digit_at(const std::string& text, std::size_t at) {
  return at < text.size() && is_digit(text[at]);
}

/// The length of the number at `at` as pretty() writes one: "−12.5000", "1.5e+10", "−∞"; else 0.
std::size_t number_length(const std::string& text, std::size_t at) {
  std::size_t end = at;
  const std::string infinity = "∞", nan = "NaN";
  if (starts_with(text, end, kMinus)) end += kMinus.size();
  if (starts_with(text, end, infinity)) return end + infinity.size() - at;
  if (starts_with(text, at, nan)) return nan.size();
  if (!digit_at(text, end)) return 0;
  while (digit_at(text, end)) ++end;
  if (end < text.size() && text[end] == '.' && digit_at(text, end + 1)) {
    ++end;
    while (digit_at(text, end)) ++end;
  }
  if (end < text.size() && text[end] == 'e') {
    std::size_t digits = end + 1;
    if (starts_with(text, digits, kMinus)) {
      digits += kMinus.size();
    } else if (digits < text.size() && text[digits] == '+') {
      ++digits;
    }
    if (digit_at(text, digits)) {
      while (digit_at(text, digits)) ++digits;
      end = digits;
    }
  }
  return end - at;
}

struct Number {
  std::string text;
  std::size_t length = 0;  ///< with its parentheses
  bool in_parentheses = false;
};

/// The number that starts at `at`, "(−2)" with its parentheses; no text where none starts there.
Number number_at(const std::string& text, std::size_t at) {
  if (at > 0 && (digit_at(text, at - 1) || text[at - 1] == '.')) return {};
  if (text[at] == '(' && starts_with(text, at + 1, kMinus)) {
    const std::size_t length = number_length(text, at + 1);
    if (length > 0 && starts_with(text, at + 1 + length, ")")) {
      return {text.substr(at + 1, length), length + 2, true};
    }
  }
  const std::size_t length = number_length(text, at);
  return {text.substr(at, length), length, false};
}

/// The index of `number` in `values`: the next one after `last` by preference, for sums name their
/// sources in order. values.size() where it isn't there.
std::size_t find_value(const std::vector<std::string>& values, const std::string& number,
                       std::size_t last) {
  for (std::size_t i = last + 1; i < values.size(); ++i) {
    if (values[i] == number) return i;
  }
  for (std::size_t i = 1; i <= last && i < values.size(); ++i) {
    if (values[i] == number) return i;
  }
  return values.front() == number ? 0 : values.size();
}

/// Appends the first of the latest `kinds` that `fits`, or else a new one; returns its index.
template <class Kind, class Fits, class Make>
std::size_t find_or_add(std::vector<Kind>& kinds, const Fits& fits, const Make& make) {
  for (std::size_t back = 1; back <= std::min(kinds.size(), kTried); ++back) {
    if (fits(kinds[kinds.size() - back])) return kinds.size() - back;
  }
  kinds.push_back(make());
  return kinds.size() - 1;
}

}  // namespace

// Text and numbers by turns.
OpenText::OpenText(const std::string& text, const std::vector<std::string>& values,
                   const OpenText* like) {
  std::size_t last = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Number number = number_at(text, at);
    if (number.text.empty()) {
      if (parts_.empty() || parts_.back().is_number) parts_.emplace_back();
      parts_.back().literal += text[at++];
      continue;
    }
    const Part* model = nullptr;
    if (like != nullptr && parts_.size() < like->parts_.size())
      model = &like->parts_[parts_.size()];
    Part part{text.substr(at, number.length), true};
    const bool is_result = follows(text, at, "= ") || follows(text, at, "≈ ");
    const bool as_model =
        model != nullptr && model->is_number && shown(*model, values) == part.literal;
    if (is_result && values.front() == number.text) {
      part.is_open = true;
    } else if (as_model) {
      part = *model;
    } else {
      part.place = find_value(values, number.text, last);
      part.is_open = part.place < values.size();
      part.is_factor = number.in_parentheses || !starts_with(number.text, 0, kMinus);
    }
    if (part.is_open) last = part.place;
    parts_.push_back(std::move(part));
    at += number.length;
  }
}

std::string OpenText::shown(const Part& part, const std::vector<std::string>& values) {
  if (!part.is_open) return part.literal;
  if (part.place >= values.size()) return "";
  const std::string& value = values[part.place];
  return part.is_factor && starts_with(value, 0, kMinus) ? filled("({})", value) : value;
}

std::string OpenText::fill(const std::vector<std::string>& values) const {
  std::string text;
  for (const Part& part : parts_) text += shown(part, values);
  return text;
}

std::string OpenText::written() const {
  std::string text;
  for (const Part& part : parts_) {
    text += part.is_open ? filled("⟦{}{}⟧", part.is_factor ? "(" : "", part.place) : part.literal;
  }
  return text;
}

// The longest group from `at` on in which `turns` runs take turns.
OpenSources::Group OpenSources::group_at(const std::vector<Source>& sources, std::size_t at,
                                         std::size_t turns) {
  Group group;
  for (std::size_t m = 0; m < turns; ++m) {
    group.runs.push_back({sources[at + m].matrix, sources[at + m].cell});
  }
  const auto continues = [&](std::size_t m, std::size_t next) {
    Run& run = group.runs[m];
    const Source& source = sources[next];
    if (source.matrix != run.matrix || source.cell.size() != run.start.size()) return false;
    std::vector<std::int64_t> expected = run.start;
    if (group.count == 1) {
      const auto differs = std::mismatch(expected.begin(), expected.end(), source.cell.begin());
      if (differs.first == expected.end()) return false;
      run.axis = differs.first - expected.begin();
    }
    expected[static_cast<std::size_t>(run.axis)] += group.count;
    return expected == source.cell;
  };
  for (std::size_t next = at + turns; next + turns <= sources.size(); next += turns) {
    for (std::size_t m = 0; m < turns; ++m) {
      if (!continues(m, next + m)) return group;
    }
    ++group.count;
  }
  return group;
}

OpenSources::OpenSources(const std::vector<Source>& sources,
                         const std::vector<std::int64_t>& cell) {
  for (std::size_t at = 0; at < sources.size();) {
    Group group = group_at(sources, at, 1);
    if (at + 2 <= sources.size()) {
      Group two = group_at(sources, at, 2);
      if (two.count > 1 && 2 * two.count > group.count) group = std::move(two);
    }
    at += static_cast<std::size_t>(group.count) * group.runs.size();
    for (Run& run : group.runs) {
      if (group.count == 1) run.axis = -1;
      for (std::size_t k = 0; k < run.start.size(); ++k) {
        const auto own = std::find(cell.begin(), cell.end(), run.start[k]);
        const bool runs = static_cast<std::ptrdiff_t>(k) == run.axis;
        if (!runs && own != cell.end()) run.start[k] = -1 - (own - cell.begin());
      }
    }
    groups_.push_back(std::move(group));
  }
}

std::vector<Source> OpenSources::fill(const std::vector<std::int64_t>& cell) const {
  std::vector<Source> sources;
  for (const Group& group : groups_) {
    for (std::int64_t turn = 0; turn < group.count; ++turn) {
      for (const Run& run : group.runs) {
        Source source{run.matrix, run.start};
        for (std::int64_t& index : source.cell) {
          if (index < 0) index = cell[static_cast<std::size_t>(-1 - index)];
        }
        if (run.axis >= 0) source.cell[static_cast<std::size_t>(run.axis)] += turn;
        sources.push_back(std::move(source));
      }
    }
  }
  return sources;
}

nlohmann::json OpenSources::json(const std::vector<std::string>& names) const {
  nlohmann::json list = nlohmann::json::array();
  for (const Group& group : groups_) {
    nlohmann::json entry{group.count};
    for (const Run& run : group.runs) {
      const auto step = std::find(names.begin(), names.end(), run.matrix) - names.begin();
      nlohmann::json written{step, run.axis};
      for (const std::int64_t index : run.start) written.push_back(index);
      entry.push_back(std::move(written));
    }
    list.push_back(std::move(entry));
  }
  return list;
}

void StepTemplates::add(const Cell& cell) {
  const auto text_kind = [](std::vector<OpenText>& kinds, const std::string& text,
                            const std::vector<std::string>& values) {
    return find_or_add(
        kinds, [&](const OpenText& kind) { return kind.fill(values) == text; },
        [&] { return OpenText(text, values, kinds.empty() ? nullptr : &kinds.back()); });
  };
  const auto same = [&](const std::vector<Source>& sources) {
    return std::equal(
        sources.begin(), sources.end(), cell.sources.begin(), cell.sources.end(),
        [](const Source& a, const Source& b) { return a.matrix == b.matrix && a.cell == b.cell; });
  };
  const std::array<std::size_t, 3> kind{
      text_kind(letters_, cell.letters, cell.values_of_letters),
      text_kind(numbers_, cell.numbers, cell.values_of_numbers),
      find_or_add(
          sources_, [&](const OpenSources& known) { return same(known.fill(cell.index)); },
          [&] { return OpenSources(cell.sources, cell.index); })};
  cells_.push_back(find_or_add(
      kinds_, [&](const std::array<std::size_t, 3>& known) { return known == kind; },
      [&] { return kind; }));
}

nlohmann::json StepTemplates::json(const std::vector<std::string>& names) const {
  nlohmann::json out;
  for (const OpenText& text : letters_) out["letters"].push_back(text.written());
  for (const OpenText& text : numbers_) out["numbers"].push_back(text.written());
  for (const OpenSources& sources : sources_) out["sources"].push_back(sources.json(names));
  out["kinds"] = kinds_;
  out["cells"] = cells_;
  return out;
}

}  // namespace foveal::trace
