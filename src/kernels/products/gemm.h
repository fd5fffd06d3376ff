#pragma once
// C = A B with B in panels (Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", 2008): a panel's width is that of the micro-kernel, A is read where it lies.

#include "kernels/products/gemm_task.h"
#include "kernels/products/micro.h"
#include "kernels/products/transpose.h"

namespace foveal {
namespace {

// 24 sums, 3 vectors of B and 1 of A in AVX-512's 32 registers; half the sums in 16. Tall blocks
// read little of the panel, which lies in the second cache.
constexpr int kGemmRows = kRegisterBytes == 64 ? 8 : 4;
constexpr int kGemmVectors = 3;

template <class T>
constexpr int kPanelColumns = kGemmVectors * kLanes<T>;

/// Copies `columns` columns (at most a panel's) of `inner` rows of B, element (k, j) at
/// b[k * row + j * step], into a panel whose rows follow each other.
template <class T>
void gemm_pack(const T* b, int64_t row, int64_t step, int64_t inner, int64_t columns, T* panel) {
  constexpr int64_t width = kPanelColumns<T>;
  if (row == 1) transpose(b, step, columns, inner, T(1), panel, width);
  for (int64_t k = 0; k < inner; ++k) {
    T* const to = panel + k * width;
    const T* const from = b + k * row;
    if (row != 1 && step == 1 && columns == width) {
      for (int v = 0; v < kGemmVectors; ++v) store(to + v * kLanes<T>, load(from + v * kLanes<T>));
    } else if (row != 1) {
      for (int64_t j = 0; j < columns; ++j) to[j] = from[j * step];
    }
    for (int64_t j = columns; j < width; ++j) to[j] = 0;
  }
}

/// One vector of a row of C, or the first `count` numbers of one.
template <class T, bool whole>
inline Vector<T> load_some(const T* from, int64_t count) {
  if (whole || count >= kLanes<T>) return load(from);
  T some[kLanes<T>] = {};
  for (int64_t n = 0; n < count; ++n) some[n] = from[n];
  return load(some);
}

template <class T, bool whole>
inline void store_some(T* to, Vector<T> value, int64_t count) {
  if (whole || count >= kLanes<T>) {
    store(to, value);
    return;
  }
  T some[kLanes<T>];
  store(some, value);
  for (int64_t n = 0; n < count; ++n) to[n] = some[n];
}

/// Rows i .. i + R - 1. `whole`: all C vectors are of the task's columns.
template <class T, int R, int C, bool whole>
inline __attribute__((always_inline)) void gemm_rows(const GemmTask<T>& task, int64_t i) {
  Block<T, R, C> block;
  T* const c = task.c + i * task.c_row;
  const T* const start = task.add ? c : task.bias;
  const int64_t start_row = task.add ? task.c_row : 0;
  block.start(nullptr);
  if (start != nullptr) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < C; ++v) {
        block.at[r][v] = load_some<T, whole>(start + r * start_row + v * kLanes<T>,
                                             task.columns - v * kLanes<T>);
      }
    }
  }
  add_product<Plain<T>>(block, Rows<T>{task.a + i * task.a_row, task.a_row, task.a_step},
                        task.panel, task.panel_row, task.inner);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) {
      store_some<T, whole>(c + r * task.c_row + v * kLanes<T>, block.at[r][v],
                           task.columns - v * kLanes<T>);
    }
  }
}

/// All rows, C vectors of columns.
template <class T, int C, bool whole>
void gemm_columns(const GemmTask<T>& task) {
  int64_t i = 0;
  for (; i + kGemmRows <= task.rows; i += kGemmRows) gemm_rows<T, kGemmRows, C, whole>(task, i);
  for (; i + 3 <= task.rows; i += 3) gemm_rows<T, 3, C, whole>(task, i);
  for (; i < task.rows; ++i) gemm_rows<T, 1, C, whole>(task, i);
}

template <class T>
void gemm(const GemmTask<T>& task) {
  if (task.columns == kPanelColumns<T>) {
    gemm_columns<T, kGemmVectors, true>(task);
  } else if (task.columns > 2 * kLanes<T>) {
    gemm_columns<T, kGemmVectors, false>(task);
  } else if (task.columns > kLanes<T>) {
    gemm_columns<T, 2, false>(task);
  } else {
    gemm_columns<T, 1, false>(task);
  }
}

}  // namespace
}  // namespace foveal
