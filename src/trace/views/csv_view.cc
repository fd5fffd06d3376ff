#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/filled.h"
#include "io/json.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

/// A number as in the JSON view, without the quotes around -inf and nan.
std::string csv_number(double value) {
  std::string text = json_number(value);
  text.erase(std::remove(text.begin(), text.end(), '"'), text.end());
  return text;
}

}  // namespace

std::string csv_view(const Record& record) {
  std::string csv = "step,head,row,column,value\n";
  for (const Step& step : record.steps) {
    const std::vector<double> numbers = step.data.to_vector();
    const std::int64_t rows = step.data.size(-2), columns = step.data.size(-1);
    const bool by_head = step.data.rank() == 3;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const auto place = static_cast<std::int64_t>(i);
      const std::string head = by_head ? std::to_string(place / (rows * columns)) : "";
      csv += filled("{},{},{},{},{}\n", text(step.name), head, place / columns % rows,
                    place % columns, csv_number(numbers[i]));
    }
  }
  return csv;
}

}  // namespace foveal::trace
