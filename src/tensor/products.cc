#include "tensor/products.h"

#include <algorithm>
#include <type_traits>

#include "core/thread_pool.h"
#include "kernels/targets/registry.h"
#include "tensor/chunks.h"
#include "tensor/memory.h"

namespace foveal {
namespace {

// A block of A and a panel of B of this depth lie in the second cache.
constexpr std::int64_t kInnerBlock = 768;
constexpr std::int64_t kRowBlock = 96;
// Tasks enough that threads end together.
constexpr std::int64_t kTasks = 32;
// What a task of dot products reads, and its fewest columns: a multiple of what the kernels take.
constexpr std::int64_t kDotBytes = 256 * 1024;
constexpr std::int64_t kDotsAtOnce = 16;
// Shorter rows are summed as those of larger products, to the same bits.
constexpr std::int64_t kLongRow = 256;
// Waking threads takes longer than so many products.
constexpr double kSmall = 1 << 16;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

template <class T>
const GemmKernels<T>& kernels() {
  if constexpr (sizeof(T) == sizeof(double)) {
    return find_target("").gemm_float64;
  } else {
    return find_target("").gemm_float32;
  }
}

/// to, row-major = the numbers of a matrix, widened where they are of a half type.
template <class S, class T>
void widen_rows(const S* from, std::int64_t row, std::int64_t step, std::int64_t rows,
                std::int64_t columns, T* to) {
  const Reader<S> reader;
  for (std::int64_t i = 0; i < rows; ++i) {
    T* const line = to + i * columns;
    const T* const numbers = reader.read(from + i * row, step, columns, line);
    if (numbers != line) std::copy_n(numbers, columns, line);
  }
}

/// One call, in T, of matrices of A and B: T, or a half type that is widened where it is packed.
template <class T, class A, class B>
struct Product {
  const GemmKernels<T>& gemm;
  const Matrix<A>& a;
  const Matrix<B>& b;
  const T* bias;
  const ProductSize& size;

  std::int64_t panels() const { return divide_up(size.columns, gemm.panel_columns); }
  std::int64_t panel_width(std::int64_t panel) const {
    return std::min(gemm.panel_columns, size.columns - panel * gemm.panel_columns);
  }
  std::int64_t depth(std::int64_t k) const { return std::min(kInnerBlock, size.inner - k); }

  /// Rows k .. k + depth - 1 of one panel of B.
  void pack(std::int64_t k, std::int64_t panel, T* to) const {
    const B* const from = b.data + k * b.row + panel * gemm.panel_columns * b.step;
    if constexpr (std::is_same_v<B, T>) {
      gemm.pack(from, b.row, b.step, depth(k), panel_width(panel), to);
    } else {
      const std::int64_t columns = panel_width(panel), inner = depth(k);
      const Scratch<T> wide(static_cast<std::size_t>(columns * inner));
      if (b.row == 1) {
        widen_rows(from, b.step, 1, columns, inner, wide.data());
        gemm.pack(wide.data(), 1, inner, inner, columns, to);
      } else {
        widen_rows(from, b.row, b.step, inner, columns, wide.data());
        gemm.pack(wide.data(), columns, 1, inner, columns, to);
      }
    }
  }

  /// `rows` rows of A times one panel, from A's column k on; the caller says what they are.
  GemmTask<T> task(std::int64_t rows, std::int64_t k, std::int64_t panel) const {
    const std::int64_t j = panel * gemm.panel_columns;
    GemmTask<T> task;
    task.panel_row = gemm.panel_columns;
    task.inner = depth(k);
    task.rows = rows;
    task.columns = panel_width(panel);
    task.bias = bias == nullptr ? nullptr : bias + j;
    task.add = k > 0;
    return task;
  }
};

/// Where a block of the result is added up: in `out` itself, or in memory of its own that is
/// rounded at the end.
template <class T, class Out>
class Sums {
 public:
  /// `columns` columns of `rows` rows of `out`, whose rows lie `out_row` apart.
  Sums(Out* out, std::int64_t out_row, std::int64_t rows, std::int64_t columns)
      : out_(out),
        out_row_(out_row),
        rows_(rows),
        columns_(columns),
        room_(kOwn ? rows * columns : 0) {}

  T* data() const {
    if constexpr (kOwn) return room_.data();
    if constexpr (!kOwn) return out_;
  }
  std::int64_t row() const { return kOwn ? columns_ : out_row_; }

  void finish() const {
    if constexpr (kOwn) {
      const Writer<Out> writer;
      for (std::int64_t i = 0; i < rows_; ++i) {
        writer.write(room_.data() + i * columns_, columns_, out_ + i * out_row_, 1);
      }
    }
  }

 private:
  static constexpr bool kOwn = !std::is_same_v<T, Out>;
  Out* out_;
  std::int64_t out_row_, rows_, columns_;
  Scratch<T> room_;
};

/// Calls act(k) for each block of the inner axis; once where it is empty: the sums are then the
/// bias, or 0.
template <class Act>
void for_inner_blocks(std::int64_t inner, const Act& act) {
  for (std::int64_t k = 0; k == 0 || k < inner; k += kInnerBlock) act(k);
}

/// Few rows: each task packs a panel of B, or reads it where it lies, and meets all rows.
template <class T, class B, class Out>
void multiply_panel(const Product<T, T, B>& product, std::int64_t panel, Out* out) {
  const std::int64_t width = product.gemm.panel_columns, columns = product.panel_width(panel);
  const bool in_place = std::is_same_v<T, B> && product.b.step == 1 && columns == width;
  const std::int64_t depth = in_place ? 0 : product.depth(0);
  const Scratch<T> packed(static_cast<std::size_t>(depth * width));
  const Sums<T, Out> sums(out + panel * width, product.size.columns, product.size.rows, columns);
  for_inner_blocks(product.size.inner, [&](std::int64_t k) {
    GemmTask<T> task = product.task(product.size.rows, k, panel);
    task.a = product.a.data + k * product.a.step;
    task.a_row = product.a.row;
    task.a_step = product.a.step;
    task.c = sums.data();
    task.c_row = sums.row();
    if constexpr (std::is_same_v<T, B>) {
      task.panel = product.b.data + k * product.b.row + panel * width;
      task.panel_row = product.b.row;
    }
    if (!in_place) {
      product.pack(k, panel, packed.data());
      task.panel = packed.data();
      task.panel_row = width;
    }
    product.gemm.multiply(task);
  });
  sums.finish();
}

/// Copies a block of A, `rows` rows from column k on, so that its rows have unit stride.
template <class T, class A, class B>
void copy_block(const Product<T, A, B>& product, const A* from, std::int64_t rows, std::int64_t k,
                T* to) {
  const Matrix<A>& a = product.a;
  const std::int64_t inner = product.depth(k);
  if constexpr (std::is_same_v<T, A>) {
    if (a.row == 1) return product.gemm.transpose(from, a.step, inner, rows, T(1), to, inner);
  }
  widen_rows(from, a.row, a.step, rows, inner, to);
}

/// B in panels: for each block of inner rows, each panel's rows one after the other.
template <class T, class A, class B>
class PackedPanels {
 public:
  explicit PackedPanels(const Product<T, A, B>& product)
      : product_(product),
        data_(static_cast<std::size_t>(product.panels() * product.gemm.panel_columns *
                                       product.size.inner)) {
    const std::int64_t blocks = divide_up(product.size.inner, kInnerBlock);
    parallel_for(product.panels() * blocks, [&](std::int64_t index) {
      const std::int64_t k = index % blocks * kInnerBlock, panel = index / blocks;
      product_.pack(k, panel, at(k, panel));
    });
  }

  /// The panel's rows k .. k + depth - 1, k a multiple of the inner block.
  T* at(std::int64_t k, std::int64_t panel) const {
    return data_.data() +
           (k * product_.panels() + panel * product_.depth(k)) * product_.gemm.panel_columns;
  }

 private:
  const Product<T, A, B>& product_;
  Scratch<T> data_;
};

/// Rows i, i + 1, ... of A times panels first_panel .. last_panel - 1.
template <class T, class A, class B, class Out>
void multiply_block(const Product<T, A, B>& product, const PackedPanels<T, A, B>& packed,
                    std::int64_t i, std::int64_t first_panel, std::int64_t last_panel, Out* out) {
  const std::int64_t rows = std::min(kRowBlock, product.size.rows - i);
  const std::int64_t width = product.gemm.panel_columns, first_column = first_panel * width;
  const std::int64_t columns = std::min(last_panel * width, product.size.columns) - first_column;
  const bool copied = !std::is_same_v<T, A> || (product.a.step != 1 && product.size.inner > 1);
  const Scratch<T> block(static_cast<std::size_t>(copied ? rows * product.depth(0) : 0));
  const Sums<T, Out> sums(out + i * product.size.columns + first_column, product.size.columns, rows,
                          columns);
  for_inner_blocks(product.size.inner, [&](std::int64_t k) {
    const A* const from = product.a.data + i * product.a.row + k * product.a.step;
    if (copied) copy_block(product, from, rows, k, block.data());
    for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
      GemmTask<T> task = product.task(rows, k, panel);
      task.panel = packed.at(k, panel);
      task.c = sums.data() + (panel - first_panel) * width;
      task.c_row = sums.row();
      if constexpr (std::is_same_v<T, A>) {
        task.a = from;
        task.a_row = product.a.row;
        task.a_step = product.a.step;
      }
      if (copied) {
        task.a = block.data();
        task.a_row = task.inner;
        task.a_step = 1;
      }
      product.gemm.multiply(task);
    }
  });
  sums.finish();
}

/// Few rows, by panels of B.
template <class T, class B>
void multiply_few(const Product<T, T, B>& product, bool alone, B* out) {
  const std::int64_t panels = product.panels();
  if (alone) {
    for (std::int64_t panel = 0; panel < panels; ++panel) multiply_panel(product, panel, out);
  } else {
    parallel_for(panels, [&](std::int64_t panel) { multiply_panel(product, panel, out); });
  }
}

template <class S>
DotsKernel<Compute<S>> dots_kernel() {
  const Target& target = find_target("");
  if constexpr (std::is_same_v<S, double>) return target.dots_float64;
  if constexpr (std::is_same_v<S, float>) return target.dots_float32;
  if constexpr (std::is_same_v<S, BFloat16>) return target.dots_bfloat16;
  if constexpr (std::is_same_v<S, Float16>) return target.dots_float16;
}

/// One row, times a matrix whose columns have unit stride, as the transposed weight of a Linear
/// has: each number of the result is a dot product, and the matrix is read once, in order.
template <class S>
void multiply_row(const Matrix<S>& a, const Matrix<S>& b, const Compute<S>* bias, S* out,
                  const ProductSize& size) {
  using T = Compute<S>;
  const auto dots = dots_kernel<S>();
  const Scratch<T> row(static_cast<std::size_t>(size.inner));
  widen_rows(a.data, size.inner, a.step, 1, size.inner, row.data());
  const std::int64_t bytes = size.inner * static_cast<std::int64_t>(sizeof(S));
  const std::int64_t share =
      std::max<std::int64_t>(kDotsAtOnce, kDotBytes / std::max<std::int64_t>(1, bytes));
  const auto columns_from = [&](std::int64_t first) {
    const std::int64_t count = std::min(share, size.columns - first);
    const Sums<T, S> sums(out + first, count, 1, count);
    DotsTask<T> task;
    task.row = row.data();
    task.matrix = b.data + first * b.step;
    task.matrix_row = b.step;
    task.inner = size.inner;
    task.count = count;
    task.bias = bias == nullptr ? nullptr : bias + first;
    task.out = sums.data();
    dots(task);
    sums.finish();
  };
  const std::int64_t tasks = divide_up(size.columns, share);
  if (static_cast<double>(size.columns) * static_cast<double>(size.inner) < kSmall) {
    for (std::int64_t n = 0; n < tasks; ++n) columns_from(n * share);
  } else {
    parallel_for(tasks, [&](std::int64_t n) { columns_from(n * share); });
  }
}

}  // namespace

template <class S>
void multiply_matrices(const Matrix<S>& a, const Matrix<S>& b, const Compute<S>* bias, S* out,
                       const ProductSize& size) {
  using T = Compute<S>;
  if (size.rows == 0 || size.columns == 0) return;
  if (size.rows == 1 && b.row == 1 && size.inner >= kLongRow)
    return multiply_row(a, b, bias, out, size);
  const bool small =
      static_cast<double>(size.rows * size.columns) * static_cast<double>(size.inner) < kSmall;
  if (small || size.rows <= kRowBlock) {
    if constexpr (std::is_same_v<S, T>) {
      multiply_few(Product<T, T, S>{kernels<T>(), a, b, bias, size}, small, out);
    } else {
      const Scratch<T> wide(static_cast<std::size_t>(size.rows * size.inner));
      widen_rows(a.data, a.row, a.step, size.rows, size.inner, wide.data());
      const Matrix<T> rows{wide.data(), size.inner, 1};
      multiply_few(Product<T, T, S>{kernels<T>(), rows, b, bias, size}, small, out);
    }
    return;
  }
  const Product<T, S, S> product{kernels<T>(), a, b, bias, size};
  const PackedPanels<T, S, S> packed(product);
  const std::int64_t panels = product.panels(), blocks = divide_up(size.rows, kRowBlock);
  const std::int64_t group = divide_up(panels, divide_up(kTasks, blocks));
  const std::int64_t groups = divide_up(panels, group);
  parallel_for(blocks * groups, [&](std::int64_t index) {
    const std::int64_t first = index % groups * group;
    multiply_block(product, packed, index / groups * kRowBlock, first,
                   std::min(first + group, panels), out);
  });
}

#define FOVEAL_MULTIPLY_MATRICES(S)                                                             \
  template void multiply_matrices<S>(const Matrix<S>&, const Matrix<S>&, const Compute<S>*, S*, \
                                     const ProductSize&);
FOVEAL_MULTIPLY_MATRICES(float)
FOVEAL_MULTIPLY_MATRICES(double)
FOVEAL_MULTIPLY_MATRICES(BFloat16)
FOVEAL_MULTIPLY_MATRICES(Float16)
#undef FOVEAL_MULTIPLY_MATRICES

}  // namespace foveal
