#pragma once
// C = A B with B packed in panels (Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", 2008): a panel's width is that of the micro-kernel, A is read where it lies.

#include "kernels/gemm_task.h"
#include "kernels/micro.h"

namespace foveal {
namespace {

template <class T>
constexpr int kPanelColumns = kQueryVectors * kLanes<T>;

/// Copies `columns` columns (at most a panel's) of `inner` rows of B, element (k, j) at
/// b[k * row + j * step], into a panel.
template <class T>
void gemm_pack(const T* b, int64_t row, int64_t step, int64_t inner, int64_t columns, T* panel) {
  for (int64_t k = 0; k < inner; ++k) {
    T* to = panel + k * kPanelColumns<T>;
    for (int64_t j = columns; j < kPanelColumns<T>; ++j) to[j] = 0;
    if (row == 1) continue;
    for (int64_t j = 0; j < columns; ++j) to[j] = b[k * row + j * step];
  }
  if (row != 1) return;
  // A transposed B is read along its own rows.
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t k = 0; k < inner; ++k) panel[k * kPanelColumns<T> + j] = b[k + j * step];
  }
}

/// One vector of row `row` of C, or what there is of it.
template <class T>
inline Vector<T> load_some(const T* from, int64_t count) {
  if (count >= kLanes<T>) return load(from);
  Vector<T> value{};
  for (int64_t n = 0; n < count; ++n) value[n] = from[n];
  return value;
}

template <class T>
inline void store_some(T* to, Vector<T> value, int64_t count) {
  if (count >= kLanes<T>) {
    store(to, value);
    return;
  }
  for (int64_t n = 0; n < count; ++n) to[n] = value[n];
}

/// Rows i .. i + R - 1.
template <class T, int R>
inline __attribute__((always_inline)) void gemm_rows(const GemmTask<T>& task, int64_t i) {
  Block<T, R, kQueryVectors> block;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kQueryVectors; ++v) {
      const T* start = task.add ? task.c + (i + r) * task.c_row : task.bias;
      block.at[r][v] = start == nullptr
                           ? Vector<T>{}
                           : load_some(start + v * kLanes<T>, task.columns - v * kLanes<T>);
    }
  }
  block.add_product({task.a + i * task.a_row, task.a_row, task.a_step}, task.panel,
                    kPanelColumns<T>, task.inner);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kQueryVectors; ++v) {
      store_some(task.c + (i + r) * task.c_row + v * kLanes<T>, block.at[r][v],
                 task.columns - v * kLanes<T>);
    }
  }
}

template <class T>
void gemm(const GemmTask<T>& task) {
  int64_t i = 0;
  for (; i + 4 <= task.rows; i += 4) gemm_rows<T, 4>(task, i);
  for (; i < task.rows; ++i) gemm_rows<T, 1>(task, i);
}

}  // namespace
}  // namespace foveal
