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
static_assert(kInnerBlock % 2 == 0, "pairs end with their block");
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

/// Whether kernels read S as it lies in memory; else it is widened to what they read.
template <class Gemm, class S>
constexpr bool kAsItLies = std::is_same_v<typename Gemm::Number, Raw<S>>;

/// to, row-major = the numbers of a matrix.
template <class T>
void copy_rows(const T* from, std::int64_t row, std::int64_t step, std::int64_t rows,
               std::int64_t columns, T* to) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) to[i * columns + j] = from[i * row + j * step];
  }
}

/// The same, widened where they are of a half type.
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

/// to, row-major = the numbers of a matrix, as kernels read them.
template <class S, class Number>
void copy_numbers(const S* from, std::int64_t row, std::int64_t step, std::int64_t rows,
                  std::int64_t columns, Number* to) {
  if constexpr (std::is_same_v<Number, Raw<S>>) {
    copy_rows(raw(from), row, step, rows, columns, to);
  } else {
    widen_rows(from, row, step, rows, columns, to);
  }
}

/// One call, of matrices of A and B.
template <class Gemm, class A, class B>
struct Product {
  using T = typename Gemm::Sum;
  using Number = typename Gemm::Number;
  using Lane = typename Gemm::Lane;
  using Task = GemmTask<T, Number, Lane>;

  const Gemm& gemm;
  const Matrix<A>& a;
  const Matrix<B>& b;
  const T* bias;
  const ProductSize& size;

  std::int64_t panels() const { return divide_up(size.columns, gemm.panel_columns); }
  std::int64_t panel_width(std::int64_t panel) const {
    return std::min(gemm.panel_columns, size.columns - panel * gemm.panel_columns);
  }
  std::int64_t depth(std::int64_t k) const { return std::min(kInnerBlock, size.inner - k); }
  /// Rows of a panel that hold `inner` rows of B.
  std::int64_t lanes(std::int64_t inner) const { return divide_up(inner, gemm.lane_numbers); }

  /// Rows k .. k + depth - 1 of one panel of B.
  void pack(std::int64_t k, std::int64_t panel, Lane* to) const {
    const B* const from = b.data + k * b.row + panel * gemm.panel_columns * b.step;
    if constexpr (kAsItLies<Gemm, B>) {
      gemm.pack(raw(from), b.row, b.step, depth(k), panel_width(panel), to);
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

  /// Whether rows of A have unit stride, and hold what the kernels read.
  bool has_rows() const { return kAsItLies<Gemm, A> && (a.step == 1 || size.inner <= 1); }
  /// Whether the kernels can read A where it lies, be it slowly.
  bool reads_rows() const { return kAsItLies<Gemm, A> && (has_rows() || gemm.lane_numbers == 1); }

  /// A where it lies, from row i and column k on; its rows aren't copied.
  MatrixRows<Number> rows_at(std::int64_t i, std::int64_t k) const {
    if constexpr (kAsItLies<Gemm, A>) {
      return {raw(a.data) + i * a.row + k * a.step, a.row, a.step * gemm.lane_numbers};
    } else {
      return {};
    }
  }

  /// `rows` rows of A times one panel, from A's column k on; the caller says what they are.
  Task task(std::int64_t rows, std::int64_t k, std::int64_t panel) const {
    const std::int64_t j = panel * gemm.panel_columns;
    Task task;
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
template <class Gemm, class A, class B, class Out>
void multiply_panel(const Product<Gemm, A, B>& product, std::int64_t panel, Out* out) {
  using Lane = typename Gemm::Lane;
  const std::int64_t width = product.gemm.panel_columns, columns = product.panel_width(panel);
  const bool in_place = std::is_same_v<Lane, B> && product.b.step == 1 && columns == width;
  const std::int64_t depth = in_place ? 0 : product.lanes(product.depth(0));
  const Scratch<Lane> packed(static_cast<std::size_t>(depth * width));
  const Sums<typename Gemm::Sum, Out> sums(out + panel * width, product.size.columns,
                                           product.size.rows, columns);
  for_inner_blocks(product.size.inner, [&](std::int64_t k) {
    auto task = product.task(product.size.rows, k, panel);
    task.a = product.rows_at(0, k);
    task.c = sums.data();
    task.c_row = sums.row();
    if constexpr (std::is_same_v<Lane, B>) {
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

/// Copies a block of A, `rows` rows from row i and column k on, to where it is read in the order of
/// memory.
template <class Gemm, class A, class B>
MatrixRows<typename Gemm::Number> copy_block(const Product<Gemm, A, B>& product, std::int64_t i,
                                             std::int64_t rows, std::int64_t k,
                                             typename Gemm::Number* to) {
  const Matrix<A>& a = product.a;
  const A* const from = a.data + i * a.row + k * a.step;
  const std::int64_t inner = product.depth(k);
  if constexpr (kAsItLies<Gemm, A>) {
    if (a.row == 1) return product.gemm.turn(raw(from), a.step, inner, rows, to);
  }
  copy_numbers(from, a.row, a.step, rows, inner, to);
  return {to, inner, product.gemm.lane_numbers};
}

/// B in panels: for each block of inner rows, each panel's rows one after the other.
template <class Gemm, class A, class B>
class PackedPanels {
 public:
  using Lane = typename Gemm::Lane;

  explicit PackedPanels(const Product<Gemm, A, B>& product)
      : product_(product),
        data_(static_cast<std::size_t>(product.panels() * product.gemm.panel_columns *
                                       product.lanes(product.size.inner))) {
    const std::int64_t blocks = divide_up(product.size.inner, kInnerBlock);
    parallel_for(product.panels() * blocks, [&](std::int64_t index) {
      const std::int64_t k = index % blocks * kInnerBlock, panel = index / blocks;
      product_.pack(k, panel, at(k, panel));
    });
  }

  /// The panel's rows k .. k + depth - 1, k a multiple of the inner block.
  Lane* at(std::int64_t k, std::int64_t panel) const {
    const std::int64_t before = product_.lanes(k) * product_.panels();
    return data_.data() +
           (before + panel * product_.lanes(product_.depth(k))) * product_.gemm.panel_columns;
  }

 private:
  const Product<Gemm, A, B>& product_;
  Scratch<Lane> data_;
};

/// Rows i, i + 1, ... of A times panels first_panel .. last_panel - 1.
template <class Gemm, class A, class B, class Out>
void multiply_block(const Product<Gemm, A, B>& product, const PackedPanels<Gemm, A, B>& packed,
                    std::int64_t i, std::int64_t first_panel, std::int64_t last_panel, Out* out) {
  const std::int64_t rows = std::min(kRowBlock, product.size.rows - i);
  const std::int64_t width = product.gemm.panel_columns, first_column = first_panel * width;
  const std::int64_t columns = std::min(last_panel * width, product.size.columns) - first_column;
  const bool copied = !product.has_rows();
  const Scratch<typename Gemm::Number> block(static_cast<std::size_t>(
      copied ? rows * product.lanes(product.depth(0)) * product.gemm.lane_numbers : 0));
  const Sums<typename Gemm::Sum, Out> sums(out + i * product.size.columns + first_column,
                                           product.size.columns, rows, columns);
  for_inner_blocks(product.size.inner, [&](std::int64_t k) {
    const auto a = copied ? copy_block(product, i, rows, k, block.data()) : product.rows_at(i, k);
    for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
      auto task = product.task(rows, k, panel);
      task.a = a;
      task.panel = packed.at(k, panel);
      task.c = sums.data() + (panel - first_panel) * width;
      task.c_row = sums.row();
      product.gemm.multiply(task);
    }
  });
  sums.finish();
}

/// Few rows, by panels of B.
template <class Gemm, class A, class B>
void multiply_few(const Product<Gemm, A, B>& product, bool alone, B* out) {
  const std::int64_t panels = product.panels();
  if (alone) {
    for (std::int64_t panel = 0; panel < panels; ++panel) multiply_panel(product, panel, out);
  } else {
    parallel_for(panels, [&](std::int64_t panel) { multiply_panel(product, panel, out); });
  }
}

/// Many rows, by blocks of them and groups of panels.
template <class Gemm, class A, class B, class Out>
void multiply_many(const Product<Gemm, A, B>& product, Out* out) {
  const PackedPanels<Gemm, A, B> packed(product);
  const std::int64_t panels = product.panels(), blocks = divide_up(product.size.rows, kRowBlock);
  const std::int64_t group = divide_up(panels, divide_up(kTasks, blocks));
  const std::int64_t groups = divide_up(panels, group);
  parallel_for(blocks * groups, [&](std::int64_t index) {
    const std::int64_t first = index % groups * group;
    multiply_block(product, packed, index / groups * kRowBlock, first,
                   std::min(first + group, panels), out);
  });
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

/// On the kernels that the caller has chosen.
template <class Gemm, class S>
void multiply_by(const Gemm& gemm, const Matrix<S>& a, const Matrix<S>& b, const Compute<S>* bias,
                 S* out, const ProductSize& size) {
  using Number = typename Gemm::Number;
  const Product<Gemm, S, S> product{gemm, a, b, bias, size};
  const bool small =
      static_cast<double>(size.rows * size.columns) * static_cast<double>(size.inner) < kSmall;
  if (small || size.rows <= kRowBlock) {
    if (product.reads_rows()) return multiply_few(product, small, out);
    const Scratch<Number> rows(static_cast<std::size_t>(size.rows * size.inner));
    copy_numbers(a.data, a.row, a.step, size.rows, size.inner, rows.data());
    const Matrix<Number> copied{rows.data(), size.inner, 1};
    multiply_few(Product<Gemm, Number, S>{gemm, copied, b, bias, size}, small, out);
  } else {
    multiply_many(product, out);
  }
}

}  // namespace

template <class S>
void multiply_matrices(const Matrix<S>& a, const Matrix<S>& b, const Compute<S>* bias, S* out,
                       const ProductSize& size) {
  if (size.rows == 0 || size.columns == 0) return;
  if (size.rows == 1 && b.row == 1 && size.inner >= kLongRow)
    return multiply_row(a, b, bias, out, size);
  const Target& target = find_target("");
  if constexpr (std::is_same_v<S, double>) {
    multiply_by(target.gemm_float64, a, b, bias, out, size);
  } else {
    if constexpr (std::is_same_v<S, BFloat16>) {
      const bool pairs = target.gemm_bfloat16.multiply != nullptr;
      if (pairs) return multiply_by(target.gemm_bfloat16, a, b, bias, out, size);
    }
    multiply_by(target.gemm_float32, a, b, bias, out, size);
  }
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
