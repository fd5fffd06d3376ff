#pragma once
// How the matrices of a product of bfloat16 get into pairs.

#include "kernels/halves/pairs.h"
#include "kernels/products/gemm.h"

namespace foveal {
namespace {

/// Two columns of A side by side: a pair a row.
MatrixRows<uint16_t> pair_turn(const uint16_t* a, int64_t step, int64_t inner, int64_t rows,
                               uint16_t* to) {
  for (int64_t k = 0; k < inner; k += 2) {
    const uint16_t* const column = a + k * step;
    interleave(column, k + 1 < inner ? column + step : nullptr, rows,
               reinterpret_cast<uint32_t*>(to + k * rows));
  }
  return {to, 2, 2 * rows};
}

void pair_pack(const uint16_t* b, int64_t row, int64_t step, int64_t inner, int64_t columns,
               uint32_t* panel) {
  constexpr int64_t width = kPanelColumns<float>;
  if (row == 1) return pair_columns<width>(b, step, columns, inner, panel);
  if (step == 1) return pair_rows(b, row, inner, columns, width, panel);
  for (int64_t k = 0; k < inner; k += 2, panel += width) {
    const uint16_t* const lower = b + k * row;
    const uint16_t* const upper = k + 1 < inner ? lower + row : nullptr;
    for (int64_t j = 0; j < columns; ++j) {
      panel[j] = lower[j * step] | (upper == nullptr ? 0U : uint32_t{upper[j * step]} << 16);
    }
    for (int64_t j = columns; j < width; ++j) panel[j] = 0;
  }
}

}  // namespace
}  // namespace foveal
