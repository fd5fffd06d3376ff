#pragma once
// Records that several view tests look at.

#include <fmt/format.h>

#include <string>

#include "trace/check/check.h"
#include "trace/input/input.h"
#include "trace/run/record.h"

namespace foveal::trace {

/// The worked example with its printed numbers checked.
inline Record worked_record() {
  Record record = run(worked_example());
  record.checks = check(record);
  record.corrected = corrected(record.input, 0);
  return record;
}

/// `tokens` tokens of `width` numbers each; `more` is further JSON, with its comma in front.
inline Record generated_record(int tokens, int width, const std::string& more,
                               std::optional<std::int64_t> followed = {}) {
  std::string rows;
  for (int i = 0; i < tokens; ++i) {
    std::string row;
    for (int j = 0; j < width; ++j) {
      row += fmt::format("{}{}", row.empty() ? "" : ",", ((i * 7 + j * 5) % 11 - 5) / 4.0);
    }
    rows += fmt::format("{}[{}]", rows.empty() ? "" : ",", row);
  }
  return run(parse_input(fmt::format("{{\"inputs\": [{}]{}}}", rows, more), "generated"), followed);
}

inline std::string check_text_of(const Record& record) {
  return check_text(record, find_slips(record));
}
inline std::string check_json_of(const Record& record) {
  return check_json(record, find_slips(record));
}

inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace foveal::trace
