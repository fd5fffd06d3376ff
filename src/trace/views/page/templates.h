#pragma once
// The arithmetic of thousands of cells in little room. Cells of one step are alike: their texts
// differ in numbers that stand in other cells already, and their sources in the cell's own place.
// So a text is kept once, with the numbers left open, and sources once, with the place left open.

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "trace/run/arithmetic.h"

namespace foveal::trace {

/// A text with its numbers left open: "⟦0⟧" stands for the first of the given values, and so on;
/// "⟦(0⟧" for the same in parentheses if it is negative, as products have it. fill() gives back
/// exactly the text it was made from, if the values are those it was made with.
class OpenText {
 public:
  /// Where a number could be several of the values, it is the one that `like` has there.
  OpenText(const std::string& text, const std::vector<std::string>& values,
           const OpenText* like = nullptr);
  std::string fill(const std::vector<std::string>& values) const;
  std::string written() const;

 private:
  struct Part {
    std::string literal;
    bool is_number = false;
    bool is_open = false;    ///< then `place` counts, else `literal`
    bool is_factor = false;  ///< in parentheses where it is negative
    std::size_t place = 0;   ///< into the values
  };
  static std::string shown(const Part& part, const std::vector<std::string>& values);
  std::vector<Part> parts_;
};

/// Where a cell's sources stand, as runs along an axis ("the d of Σ_d"); an index that equals one
/// of the cell's own is a reference to it.
class OpenSources {
 public:
  OpenSources(const std::vector<Source>& sources, const std::vector<std::int64_t>& cell);
  std::vector<Source> fill(const std::vector<std::int64_t>& cell) const;
  /// A list of groups [count, run, ...], whose runs take turns; a run is [step, axis, index, ...],
  /// and its index at `axis` (-1: none) grows by 1 each turn. A reference to the cell's index k is
  /// -1 - k. `names` are what steps are numbered by.
  nlohmann::json json(const std::vector<std::string>& names) const;

 private:
  struct Run {
    std::string matrix;
    std::vector<std::int64_t> start;
    std::ptrdiff_t axis = -1;
  };
  struct Group {
    std::int64_t count = 1;
    std::vector<Run> runs;
  };
  static Group group_at(const std::vector<Source>& sources, std::size_t at, std::size_t turns);
  std::vector<Group> groups_;
};

/// What the cells of one step have in common. Add its cells in order.
class StepTemplates {
 public:
  struct Cell {
    std::vector<std::int64_t> index;
    std::string letters, numbers;
    std::vector<Source> sources;  ///< those that the page shows
    std::vector<std::string> values_of_letters, values_of_numbers;
  };
  void add(const Cell& cell);
  /// {"letters": [...], "numbers": [...], "sources": [...], "kinds": [[l, n, s], ...],
  ///  "cells": [kind of each cell]}.
  nlohmann::json json(const std::vector<std::string>& names) const;

 private:
  std::vector<OpenText> letters_, numbers_;
  std::vector<OpenSources> sources_;
  std::vector<std::array<std::size_t, 3>> kinds_;
  std::vector<std::size_t> cells_;
};

}  // namespace foveal::trace
