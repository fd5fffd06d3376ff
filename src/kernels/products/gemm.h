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

template <class T>
MatrixRows<T> gemm_turn(const T* a, int64_t step, int64_t inner, int64_t rows, T* to) {
  transpose(a, step, inner, rows, T(1), to, inner);
  return {to, inner, 1};
}

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

template <class Math>
using TaskOf = GemmTask<typename Math::Sum, typename Math::Number, typename Math::Column>;

/// Rows i .. i + R - 1. `whole`: all C vectors are of the task's columns.
template <class Math, int R, int C, bool whole>
inline __attribute__((always_inline)) void gemm_rows(const TaskOf<Math>& task, int64_t i) {
  using T = typename Math::Sum;
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
  MatrixRows<typename Math::Number> rows = task.a;
  rows.data += i * rows.row_stride;
  add_rows<Math>(block, rows, task.inner, task.panel, task.panel_row);
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
template <class Math, int C, bool whole>
void gemm_columns(const TaskOf<Math>& task) {
  int64_t i = 0;
  for (; i + kGemmRows <= task.rows; i += kGemmRows) gemm_rows<Math, kGemmRows, C, whole>(task, i);
  for (; i + 3 <= task.rows; i += 3) gemm_rows<Math, 3, C, whole>(task, i);
  for (; i < task.rows; ++i) gemm_rows<Math, 1, C, whole>(task, i);
}

template <class Math>
void gemm(const TaskOf<Math>& task) {
  constexpr int64_t lanes = kLanes<typename Math::Sum>;
  if (task.columns == kGemmVectors * lanes) {
    gemm_columns<Math, kGemmVectors, true>(task);
  } else if (task.columns > 2 * lanes) {
    gemm_columns<Math, kGemmVectors, false>(task);
  } else if (task.columns > lanes) {
    gemm_columns<Math, 2, false>(task);
  } else {
    gemm_columns<Math, 1, false>(task);
  }
}

}  // namespace
}  // namespace foveal
