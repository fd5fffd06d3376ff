#include "trace/views/page/table.h"

#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "draw/look.h"
#include "draw/text.h"

namespace foveal::trace {
namespace {

/// How many letters numbers have before and behind their points, at most: columns are centred, and
/// aligned at the points.
struct Letters {
  std::size_t whole = 1, fraction = 0;
};

std::size_t letters_in(std::string_view text) {
  return static_cast<std::size_t>(std::lround(draw::text_width(text, 1, draw::Font::mono) /
                                              draw::text_width("0", 1, draw::Font::mono)));
}

std::size_t letters_of_fraction(const std::string& number) {
  return letters_in(draw::after_point(number).value_or(""));
}

Letters longest_number(const Shown& shown) {
  Letters longest;
  for (std::int64_t head = 0; head < shown.heads; ++head) {
    for (std::int64_t row = shown.rows.begin; row < shown.rows.end; ++row) {
      for (std::int64_t column = shown.columns.begin; column < shown.columns.end; ++column) {
        const std::string text = shown.text(head, row, column);
        const std::size_t fraction = letters_of_fraction(text);
        longest.whole = std::max(longest.whole, letters_in(text) - fraction);
        longest.fraction = std::max(longest.fraction, fraction);
      }
    }
  }
  return longest;
}

std::string heat_class(double heat) {
  const long level = std::lround(std::clamp(heat, -1.0, 1.0) * kHeatLevels);
  return filled("{}{}", level < 0 ? "n" : "p", std::abs(level));
}

class Tables {
 public:
  Tables(const Record& record, const Shown& shown, std::size_t number)
      : record_(record),
        shown_(shown),
        number_(number),
        heat_(shown.rows.shown() > draw::kMostNumbers ||
              shown.columns.shown() > draw::kMostNumbers),
        letters_(longest_number(shown)) {}

  std::string all() {
    for (std::int64_t head = 0; head < shown_.heads; ++head) table(head);
    return std::move(out_);
  }

 private:
  void table(std::int64_t head) {
    out_ += filled(
        "<div class=\"scroll\"><table class=\"{}\" data-matrix=\"{}\" data-head=\"{}\" "
        "style=\"--letters:{}\">\n<caption>{}</caption>\n",
        classes(), number_, head, letters_.whole + letters_.fraction,
        shown_.has_heads ? filled("head {}", head)
                         : filled("<span class=\"hidden\">{}</span>", draw::escape(shown_.title)));
    out_ += "<thead><tr><td></td>";
    for (std::int64_t column = shown_.columns.begin; column < shown_.columns.end; ++column) {
      label("col", shown_.column_axis, column);
    }
    out_ += "</tr></thead>\n<tbody>\n";
    for (std::int64_t row = shown_.rows.begin; row < shown_.rows.end; ++row) table_row(head, row);
    out_ += "</tbody></table></div>\n";
  }

  const char* classes() const {
    if (!heat_) return "matrix";
    return shown_.columns.shown() > draw::kMostNumbers ? "matrix heat" : "matrix heat few";
  }

  void table_row(std::int64_t head, std::int64_t row) {
    const bool of_queries = shown_.step != StepName::keys && shown_.step != StepName::values;
    const bool followed = shown_.row_axis != "feature" && of_queries && row == record_.followed;
    out_ += followed ? "<tr class=\"followed\">" : "<tr>";
    if (shown_.is_vector) {
      out_ += "<th></th>";
    } else {
      label("row", shown_.row_axis, row);
    }
    for (std::int64_t column = shown_.columns.begin; column < shown_.columns.end; ++column) {
      cell(head, row, column);
    }
    out_ += "</tr>\n";
  }

  void label(const char* scope, const std::string& axis, std::int64_t index) {
    const std::string text = draw::escape(draw::visible(axis_label(record_, axis, index)));
    out_ += filled("<th scope=\"{}\" title=\"{}\"><bdi>{}</bdi></th>", scope, text, text);
  }

  void cell(std::int64_t head, std::int64_t row, std::int64_t column) {
    const std::string text = shown_.text(head, row, column);
    const Check* wrong = wrong_at(record_, shown_, head, row, column);
    std::string classes =
        shown_.hatched(head, row, column) ? "hatched" : heat_class(shown_.heat(head, row, column));
    if (shown_.hatched(head, row, column) && !draw::after_point(text)) classes += " word";
    if (wrong != nullptr) classes += " wrong";
    const std::size_t after =
        draw::after_point(text) ? letters_.fraction - letters_of_fraction(text) : 0;
    const bool shifted = after > 0 && !heat_;
    out_ += filled("<td class=\"{}\"{}>{}", classes,
                   shifted ? filled(" style=\"--after:{}\"", after) : "", text);
    if (wrong != nullptr) {
      out_ += filled("<small>not {}</small>", draw::escape(draw::visible(pretty(wrong->printed))));
    }
    out_ += "</td>";
  }

  const Record& record_;
  const Shown& shown_;
  std::size_t number_;
  bool heat_;
  Letters letters_;
  std::string out_;
};

}  // namespace

std::string tables(const Record& record, const Shown& shown, std::size_t number) {
  return Tables(record, shown, number).all();
}

}  // namespace foveal::trace
