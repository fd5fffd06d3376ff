#include "io/safetensors_dtype.h"

#include <algorithm>
#include <array>

#include "foveal/error.h"

namespace foveal {
namespace {

constexpr std::array kDtypes = std::to_array<SafetensorsDtype>({
    {"F32", 32, DType::float32},      {"F64", 64, DType::float64},
    {"BF16", 16, DType::bfloat16},    {"F16", 16, DType::float16},
    {"I64", 64, DType::int64},        {"BOOL", 8, DType::boolean},
    {"F4", 4, std::nullopt},          {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},     {"U8", 8, std::nullopt},
    {"I8", 8, std::nullopt},          {"F8_E5M2", 8, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},     {"F8_E8M0", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt}, {"F8_E5M2FNUZ", 8, std::nullopt},
    {"I16", 16, std::nullopt},        {"U16", 16, std::nullopt},
    {"I32", 32, std::nullopt},        {"U32", 32, std::nullopt},
    {"U64", 64, std::nullopt},        {"C64", 64, std::nullopt},
});

}  // namespace

const SafetensorsDtype* safetensors_dtype(std::string_view name) {
  const auto* const found = std::find_if(kDtypes.begin(), kDtypes.end(),
                                         [&](const auto& entry) { return entry.name == name; });
  return found == kDtypes.end() ? nullptr : found;
}

std::string safetensors_name(DType dtype) {
  const auto* const found = std::find_if(kDtypes.begin(), kDtypes.end(),
                                         [&](const auto& entry) { return entry.dtype == dtype; });
  if (found == kDtypes.end()) throw Error("safetensors: unknown dtype", ErrorKind::internal);
  return std::string(found->name);
}

std::string safetensors_names() {
  std::string names;
  for (const SafetensorsDtype& entry : kDtypes) {
    if (entry.dtype) names += std::string(names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names.replace(names.rfind(", "), 2, " or ");
}

}  // namespace foveal
