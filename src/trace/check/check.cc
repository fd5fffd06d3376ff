#include "trace/check/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/json.h"
#include "trace/check/findings.h"
#include "trace/run/arithmetic.h"

namespace foveal::trace {

namespace {

Tensor row_of(const Record& record, StepName name) {
  const Step* step = find_step(record, name);
  if (step == nullptr) return {};
  return step->data.select(-2, record.followed).contiguous();
}

}  // namespace

bool has_printed_numbers(const Input& input) {
  for (const ExpectedStep& step : input.expected) {
    for (const auto& head : step.heads) {
      for (const auto& row : head) {
        if (std::any_of(row.begin(), row.end(),
                        [](const auto& cell) { return cell.has_value(); })) {
          return true;
        }
      }
    }
  }
  return false;
}

bool all_printed_agree(const Record& record) {
  const auto agrees = [](const Finding& cell) { return cell.agrees; };
  for (const ExpectedStep& expected : record.input.expected) {
    const std::vector<Finding> cells = printed_cells(record, expected);
    if (!std::all_of(cells.begin(), cells.end(), agrees)) return false;
  }
  return true;
}

std::vector<Check> check(const Record& record) {
  std::vector<Check> checks;
  for (const Finding& finding : find_slips(record).all) {
    Check one;
    one.step = finding.step;
    one.cell = finding.cell;
    one.printed = finding.printed.text;
    one.ours = finding.ours;
    one.arithmetic = arithmetic(record, finding.step, finding.cell).numbers;
    if (!finding.slip.empty()) one.slip = finding.slip;
    one.agrees = finding.agrees;
    checks.push_back(std::move(one));
  }
  return checks;
}

std::string check_json(const Record& record) {
  std::string entries;
  bool all_agree = true;
  for (const Check& one : check(record)) {
    all_agree = all_agree && one.agrees;
    entries += fmt::format(
        "{}\n    {{\"step\": {}, \"cell\": [{}], \"printed\": {}, \"ours\": {}, \"arithmetic\": "
        "{}, "
        "\"slip\": {}, \"agrees\": {}}}",
        entries.empty() ? "" : ",", json_string(text(one.step)), fmt::join(one.cell, ", "),
        json_string(one.printed), json_number(one.ours), json_string(one.arithmetic),
        one.slip ? json_string(*one.slip) : "null", one.agrees);
  }
  return fmt::format(
      "{{\n  \"schema\": \"foveal.check/1\",\n  \"agrees\": {},\n  \"checks\": [{}\n  ]\n}}\n",
      all_agree, entries);
}

std::vector<Corrected> corrected(const Input& input, std::int64_t followed) {
  std::vector<Corrected> results;
  for (const auto& [name, kind] :
       {std::pair("unscaled", Scale::Kind::none), std::pair("scaled", Scale::Kind::sqrt)}) {
    Input changed = input;
    changed.settings.scale = {kind, 1};
    const Record record = run(changed, followed);
    Tensor scores = row_of(record, StepName::masked_scores);
    if (!scores.defined()) scores = row_of(record, StepName::scaled_scores);
    if (!scores.defined()) scores = row_of(record, StepName::scores);
    results.push_back(
        {name, scores, row_of(record, StepName::weights), row_of(record, StepName::context)});
  }
  return results;
}

}  // namespace foveal::trace
