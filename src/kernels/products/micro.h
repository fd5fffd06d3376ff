#pragma once
// The one micro-kernel: a block of R rows by C vectors that stays in registers, over any math.

#include "kernels/products/key_runs.h"
#include "kernels/products/math.h"
#include "kernels/products/matrix_rows.h"

namespace foveal {
namespace {

template <class T, int R, int C>
struct Block {
  Vector<T> at[R][C];

  /// Rows of C vectors that begin `stride` apart.
  inline __attribute__((always_inline)) void load_from(const T* from, int64_t stride) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) at[r][c] = load(from + r * stride + c * kLanes<T>);
    }
  }

  inline __attribute__((always_inline)) void store_to(T* to, int64_t stride) const {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) store(to + r * stride + c * kLanes<T>, at[r][c]);
    }
  }

  inline __attribute__((always_inline)) void add_to(T* to, int64_t stride) const {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) {
        T* const place = to + r * stride + c * kLanes<T>;
        store(place, load(place) + at[r][c]);
      }
    }
  }

  inline __attribute__((always_inline)) void scale(T factor) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) at[r][c] *= factor;
    }
  }

  /// Minus `first` (a number a lane), or zeros where it is null.
  inline __attribute__((always_inline)) void start(const T* first) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) {
      const Vector<T> value = first == nullptr ? Vector<T>{} : -load(first + c * kLanes<T>);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) at[r][c] = value;
    }
  }
};

/// One step of a product, for the vectors from First on: block[r] += a[r] * b.
template <class Math, int First, class N, class T, int R, int C>
inline __attribute__((always_inline)) void add_step(Block<T, R, C>& block, const N* a,
                                                    int64_t row_stride,
                                                    const typename Math::Column* b) {
  decltype(Math::load(b)) column[C];
#pragma GCC unroll 16
  for (int c = First; c < C; ++c) column[c] = in_register(Math::load(b + c * kLanes<T>));
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    const auto value = Math::spread(a + r * row_stride);
#pragma GCC unroll 16
    for (int c = First; c < C; ++c) {
      block.at[r][c] = Math::multiply_add(block.at[r][c], value, column[c]);
    }
  }
}

/// block[r] += sum over k of a(r, k) * b[k] for the vectors from First on, where row k of b begins
/// at b + k * b_stride.
template <class Math, int First = 0, class N, class T, int R, int C>
inline __attribute__((always_inline)) void add_product(Block<T, R, C>& block,
                                                       const MatrixRows<N>& a,
                                                       const typename Math::Column* b,
                                                       int64_t b_stride, int64_t count) {
  if constexpr (Math::kUnrolls) {
#pragma GCC unroll 4
    for (int64_t k = 0; k < count; ++k) {
      add_step<Math, First>(block, a.data + k * a.step, a.row_stride, b + k * b_stride);
    }
  } else {
    for (int64_t k = 0; k < count; ++k) {
      add_step<Math, First>(block, a.data + k * a.step, a.row_stride, b + k * b_stride);
    }
  }
}

/// The same, and work(n) for n < R * C between its steps: a run of exponentials alone would leave
/// the multipliers waiting. The steps of `a` are 1 apart.
template <class Math, class T, int R, int C, class Work>
inline __attribute__((always_inline)) void add_product_and(Block<T, R, C>& block,
                                                           const MatrixRows<T>& a, const T* b,
                                                           int64_t b_stride, int64_t count,
                                                           const Work& work) {
  constexpr int64_t kShare = 2;
  int64_t done = 0;
  if (count >= kShare * R * C) {
#pragma GCC unroll 16
    for (int n = 0; n < R * C; ++n) {
      const int64_t k = n * kShare;
      add_product<Math>(block, MatrixRows<T>{a.data + k, a.row_stride, 1}, b + k * b_stride,
                        b_stride, kShare);
      work(n);
    }
    done = kShare * R * C;
  } else {
#pragma GCC unroll 1
    for (int n = 0; n < R * C; ++n) work(n);
  }
  add_product<Math>(block, MatrixRows<T>{a.data + done, a.row_stride, 1}, b + done * b_stride,
                    b_stride, count - done);
}

/// block += the product of R rows of `size` numbers with columns. The steps of `rows` are those of
/// whole lanes.
template <class Math, class T, int R, int C>
inline __attribute__((always_inline)) void add_rows(Block<T, R, C>& block,
                                                    const MatrixRows<typename Math::Number>& rows,
                                                    int64_t size,
                                                    const typename Math::Column* columns,
                                                    int64_t column_stride) {
  using Number = typename Math::Number;
  constexpr int N = Math::kNumbers;
  const int64_t whole = size / N;
  add_product<Math>(block, rows, columns, column_stride, whole);
  if constexpr (N > 1) {
    if (size % N == 0) return;
    // The last numbers have none beside them: the row may end there.
    Number last[R][N] = {};
    for (int r = 0; r < R; ++r) {
      const Number* const from = rows.data + r * rows.row_stride + whole * rows.step;
      for (int64_t n = 0; n < size % N; ++n) last[r][n] = from[n];
    }
    add_product<Math>(block, MatrixRows<Number>{last[0], N, 0}, columns + whole * column_stride,
                      column_stride, 1);
  }
}

/// block = minus `first` (or 0), plus the product of R rows of `size` numbers with columns.
template <class Math, class T, int R, int C>
inline __attribute__((always_inline)) void multiply(
    Block<T, R, C>& block, const typename Math::Number* rows, int64_t row_stride, int64_t size,
    const typename Math::Column* columns, int64_t column_stride, const typename Math::Sum* first) {
  block.start(first);
  add_rows<Math>(block, MatrixRows<typename Math::Number>{rows, row_stride, Math::kNumbers}, size,
                 columns, column_stride);
}

/// sum[r] += a(r, k) * b[k] for R rows of C vectors; rows of sum begin sum_stride apart.
template <class Math, int R, int C, class N>
inline __attribute__((always_inline)) void add_block(const MatrixRows<N>& a,
                                                     const typename Math::Column* b,
                                                     int64_t b_stride, int64_t count,
                                                     typename Math::Sum* sum, int64_t sum_stride) {
  Block<typename Math::Sum, R, C> block;
  block.load_from(sum, sum_stride);
  add_product<Math>(block, a, b, b_stride, count);
  block.store_to(sum, sum_stride);
}

/// The same; the product is summed for itself first: beside a sum that has grown each term would be
/// rounded more. Costs more where products are short.
template <class Math, int R, int C, class N>
inline __attribute__((always_inline)) void add_whole_block(const MatrixRows<N>& a,
                                                           const typename Math::Column* b,
                                                           int64_t b_stride, int64_t count,
                                                           typename Math::Sum* sum,
                                                           int64_t sum_stride) {
  Block<typename Math::Sum, R, C> block{};
  add_product<Math>(block, a, b, b_stride, count);
  block.add_to(sum, sum_stride);
}

/// Calls act.template operator()<First>() for `first`, the first of the vectors that a product
/// concerns.
template <class Act>
inline __attribute__((always_inline)) void from_vector(int64_t first, const Act& act) {
  switch (first) {
    case 0:
      return act.template operator()<0>();
    case 1:
      return act.template operator()<1>();
    case 2:
      return act.template operator()<2>();
    default:
      return act.template operator()<kQueryVectors - 1>();
  }
}

/// Calls act.template operator()<C>() for a block of `vectors` vectors; 0 are none.
template <class Act>
inline __attribute__((always_inline)) void with_vectors(int64_t vectors, const Act& act) {
  switch (vectors) {
    case 0:
      return;
    case 1:
      return act.template operator()<1>();
    case 2:
      return act.template operator()<2>();
    case 3:
      return act.template operator()<3>();
    default:
      return act.template operator()<kQueryVectors>();
  }
}

/// R rows of sums from row d on, kQueryVectors wide, over all runs, as add_whole_block adds.
template <class Math, int R, class T>
inline void add_runs_to(const KeyRuns<typename Math::Column>& runs, int64_t d, T* sum,
                        int64_t sum_stride) {
  Block<T, R, kQueryVectors> block{};
  for (int n = 0; n < runs.count; ++n) {
    const auto& run = runs.run[n];
    const MatrixRows<typename Math::Column> rows{run.rows + d, 1, runs.row_step};
    from_vector(run.first_vector, [&]<int First>() __attribute__((always_inline)) {
      add_product<Math, First>(block, rows, run.columns, runs.column_stride, run.count);
    });
  }
  block.add_to(sum, sum_stride);
}

/// sum[d] += rows[k][d] * columns[k] for d < size, over all k of all runs.
template <class Math, class T>
inline void add_runs(const KeyRuns<typename Math::Column>& runs, int64_t size, T* sum,
                     int64_t sum_stride) {
  int64_t d = 0;
  for (; d + 4 <= size; d += 4) add_runs_to<Math, 4>(runs, d, sum + d * sum_stride, sum_stride);
  for (; d < size; ++d) add_runs_to<Math, 1>(runs, d, sum + d * sum_stride, sum_stride);
}

}  // namespace
}  // namespace foveal
