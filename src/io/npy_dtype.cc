#include "io/npy_dtype.h"

#include <algorithm>
#include <array>

namespace foveal {
namespace {

struct Named {
  std::string_view text;
  DType dtype;
};

constexpr std::array kCodes = std::to_array<Named>({
    {"f2", DType::float16},
    {"e", DType::float16},
    {"f4", DType::float32},
    {"f", DType::float32},
    {"f8", DType::float64},
    {"d", DType::float64},
    {"i8", DType::int64},
    {"l", DType::int64},
    {"q", DType::int64},
    {"n", DType::int64},
    {"p", DType::int64},
    {"b1", DType::boolean},
    {"?", DType::boolean},
});

constexpr std::array kNames = std::to_array<Named>({
    {"float16", DType::float16},
    {"half", DType::float16},
    {"float32", DType::float32},
    {"single", DType::float32},
    {"float64", DType::float64},
    {"double", DType::float64},
    {"float", DType::float64},
    {"int64", DType::int64},
    {"int", DType::int64},
    {"int_", DType::int64},
    {"intp", DType::int64},
    {"long", DType::int64},
    {"longlong", DType::int64},
    {"bool", DType::boolean},
    {"bool_", DType::boolean},
});

template <class Table>
std::optional<DType> find(const Table& table, std::string_view text) {
  const auto* const found = std::find_if(table.begin(), table.end(),
                                         [&](const Named& entry) { return entry.text == text; });
  if (found == table.end()) return std::nullopt;
  return found->dtype;
}

}  // namespace

std::optional<NpyDtype> npy_dtype(std::string_view text) {
  if (const std::optional<DType> named = find(kNames, text)) return NpyDtype{*named, false};
  const char order = text.empty() ? '\0' : text[0];
  const bool has_order = order == '<' || order == '>' || order == '=' || order == '|';
  const std::optional<DType> dtype = find(kCodes, text.substr(has_order ? 1 : 0));
  if (!dtype) return std::nullopt;
  return NpyDtype{*dtype, order == '>'};
}

}  // namespace foveal
