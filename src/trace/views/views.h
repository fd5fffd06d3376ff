#pragma once
// The views of a record. Each returns the whole document; the same record gives the same bytes.

#include <string>

#include "trace/run/record.h"

namespace foveal::trace {

enum class Theme { light, dark };

/// For a terminal: `width` columns, ANSI colour where `colour` is set.
std::string text_view(const Record& record, int width = 80, bool colour = false);
/// foveal.trace/1.
std::string json_view(const Record& record);
/// step,head,row,column,value
std::string csv_view(const Record& record);
/// A picture of all steps; `narrow` stacks the rail for 390 px.
std::string svg_view(const Record& record, Theme theme = Theme::light, bool narrow = false);
/// One self-contained page: no script, style or font from elsewhere. Light and dark by the
/// reader's setting.
std::string html_view(const Record& record);

}  // namespace foveal::trace
