// An audit as JSON and as a table.

#include <fmt/format.h>

#include "draw/terminal.h"
#include "io/json.h"
#include "measure/audit.h"
#include "measure/report.h"

namespace foveal::measure {
namespace {

namespace terminal = draw::terminal;

std::string audit_row_json(const AuditRow& row) {
  return fmt::format(
      "{{\"shape\": {}, \"dtype\": \"{}\", \"mask\": {}, \"target\": \"{}\", \"max_error\": {}, "
      "\"rms_error\": {}, \"naive_max_error\": {}, \"naive_rms_error\": {}, \"bound\": {}}}",
      shape_json(Op::forward, row.sizes), foveal::to_string(row.dtype),
      json_string(foveal::to_string(row.mask)), row.target, json_number(row.max_error),
      json_number(row.rms_error), json_number(row.naive_max_error),
      json_number(row.naive_rms_error), json_number(row.bound));
}

std::string audit_line(const std::string& dtype, const std::string& shape, const std::string& mask,
                       const std::vector<std::string>& numbers, const std::string& share) {
  constexpr int kShape = 19, kMask = 12;
  std::string text = terminal::pad_right(dtype, 8) + " " +
                     terminal::pad_right(terminal::cut(shape, kShape), kShape) + " " +
                     terminal::pad_right(terminal::cut(mask, kMask), kMask);
  for (const std::string& number : numbers) text += " " + terminal::pad_left(number, 7);
  return text + " " + share + "\n";
}

}  // namespace

std::string audit_json(const std::vector<AuditRow>& rows) {
  std::string text;
  for (const AuditRow& row : rows) text += (text.empty() ? "" : ",\n  ") + audit_row_json(row);
  return fmt::format("{{\"schema\": \"foveal.audit/1\", \"rows\": [\n  {}]}}\n", text);
}

std::string audit_text(const std::vector<AuditRow>& rows) {
  std::string text;
  if (!rows.empty()) text += "error against float64, target " + rows.front().target + "\n\n";
  text += audit_line("dtype", "shape", "mask", {"largest", "rms", "naive", "rms"}, "bound");
  for (const AuditRow& row : rows) {
    std::vector<std::string> numbers;
    for (const double number :
         {row.max_error, row.rms_error, row.naive_max_error, row.naive_rms_error}) {
      numbers.push_back(fmt::format("{:.1e}", number));
    }
    const std::string share = row.holds() ? fmt::format("{:.0f}%", 100 * row.max_error / row.bound)
                                          : std::string("ABOVE");
    text += audit_line(foveal::to_string(row.dtype), short_text(Op::forward, row.sizes),
                       shown_mask(row.mask), numbers, share);
  }
  return text;
}

}  // namespace foveal::measure
