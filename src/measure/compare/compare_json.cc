// foveal.compare/1.

#include <fmt/format.h>

#include "io/json.h"
#include "measure/compare/compare.h"

namespace foveal::measure {
namespace {

std::string settings_json(const Comparison& comparison) {
  const CompareSettings& settings = comparison.settings;
  std::string variants;
  for (const std::string& name : settings.variants) {
    variants += (variants.empty() ? "\"" : ", \"") + name + "\"";
  }
  return fmt::format(
      "{{\"batch\": {}, \"tokens\": {}, \"width\": {}, \"heads\": {}, \"dtype\": \"{}\", "
      "\"repeats\": {}, \"threads\": {}, \"cpu\": {}, \"target\": \"{}\", \"torch\": {}, "
      "\"agrees\": {}, \"most_difference\": {}, \"variants\": [{}], \"where\": {}, \"compile\": "
      "{}}}",
      settings.batch, settings.tokens, settings.width, settings.heads,
      foveal::to_string(settings.dtype), settings.repeats, comparison.threads,
      json_string(comparison.cpu), comparison.target,
      comparison.torch_version.empty() ? "null" : json_string(comparison.torch_version),
      comparison.agrees, json_number(comparison.most_difference), variants, settings.where,
      settings.compile);
}

std::string milliseconds(const Summary& summary, double seconds) {
  return summary.repeats == 0 ? "null" : json_number(seconds * 1e3);
}

std::string where_json(const CompareRow& row) {
  if (row.where.empty()) return "null";
  std::string text;
  for (const auto& [operation, share] : row.where) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", json_string(operation),
                        json_number(share));
  }
  return "{" + text + "}";
}

std::string row_json(const CompareRow& row, bool was_compared) {
  return fmt::format(
      "{{\"variant\": \"{}\", \"library\": \"{}\", \"forward_ms\": {}, \"forward_spread_ms\": {}, "
      "\"forward_backward_ms\": {}, \"forward_backward_spread_ms\": {}, \"repeats\": {}, "
      "\"max_difference\": {}, \"note\": {}, \"max_gradient_difference\": {}, \"peak_bytes\": {}, "
      "\"where\": {}, \"parameters\": {}}}",
      row.variant, row.library, milliseconds(row.forward, row.forward.median),
      milliseconds(row.forward, row.forward.spread),
      milliseconds(row.forward_backward, row.forward_backward.median),
      milliseconds(row.forward_backward, row.forward_backward.spread), row.forward.repeats,
      was_compared ? json_number(row.max_difference) : "null",
      row.note.empty() ? "null" : json_string(row.note),
      was_compared && row.has_backward ? json_number(row.max_gradient_difference) : "null",
      row.peak_bytes ? std::to_string(*row.peak_bytes) : "null", where_json(row), row.parameters);
}

}  // namespace

std::string compare_json(const Comparison& comparison) {
  std::string rows;
  for (const CompareRow& row : comparison.rows) {
    rows += (rows.empty() ? "" : ",\n  ") + row_json(row, row.runs);
  }
  return fmt::format(
      "{{\"schema\": \"foveal.compare/1\", \"settings\": {},\n \"rows\": [\n  {}]}}\n",
      settings_json(comparison), rows);
}

}  // namespace foveal::measure
