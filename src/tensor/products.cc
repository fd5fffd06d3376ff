#include "tensor/products.h"

#include <algorithm>

#include "core/thread_pool.h"
#include "kernels/targets/registry.h"
#include "tensor/memory.h"

namespace foveal {
namespace {

// A block of A and a panel of B of this depth lie in the second cache.
constexpr std::int64_t kInnerBlock = 768;
constexpr std::int64_t kRowBlock = 96;
// Tasks enough that threads end together.
constexpr std::int64_t kTasks = 32;
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

/// One call.
template <class T>
struct Product {
  const GemmKernels<T>& gemm;
  const Matrix<T>&a, &b;
  const T* bias;
  T* out;
  const ProductSize& size;

  std::int64_t panels() const { return divide_up(size.columns, gemm.panel_columns); }
  std::int64_t panel_width(std::int64_t panel) const {
    return std::min(gemm.panel_columns, size.columns - panel * gemm.panel_columns);
  }
  std::int64_t depth(std::int64_t k) const { return std::min(kInnerBlock, size.inner - k); }

  /// Rows k .. k + depth - 1 of one panel of B.
  void pack(std::int64_t k, std::int64_t panel, T* to) const {
    gemm.pack(b.data + k * b.row + panel * gemm.panel_columns * b.step, b.row, b.step, depth(k),
              panel_width(panel), to);
  }

  /// Rows i .. i + rows - 1 of out, from the block of A that begins at column k.
  GemmTask<T> task(std::int64_t i, std::int64_t rows, std::int64_t k, std::int64_t panel) const {
    const std::int64_t j = panel * gemm.panel_columns;
    GemmTask<T> task;
    task.a = a.data + i * a.row + k * a.step;
    task.a_row = a.row;
    task.a_step = a.step;
    task.panel_row = gemm.panel_columns;
    task.inner = depth(k);
    task.c = out + i * size.columns + j;
    task.c_row = size.columns;
    task.rows = rows;
    task.columns = panel_width(panel);
    task.bias = bias == nullptr ? nullptr : bias + j;
    task.add = k > 0;
    return task;
  }
};

/// Calls act(k) for each block of the inner axis; once where it is empty: the sums are then the
/// bias, or 0.
template <class Act>
void for_inner_blocks(std::int64_t inner, const Act& act) {
  for (std::int64_t k = 0; k == 0 || k < inner; k += kInnerBlock) act(k);
}

/// Few rows: each task packs a panel of B, or reads it where it lies, and meets all rows.
template <class T>
void multiply_panel(const Product<T>& product, std::int64_t panel) {
  const std::int64_t width = product.gemm.panel_columns;
  const bool in_place = product.b.step == 1 && product.panel_width(panel) == width;
  const std::int64_t depth = in_place ? 0 : product.depth(0);
  const Scratch<T> packed(static_cast<std::size_t>(depth * width));
  for_inner_blocks(product.size.inner, [&](std::int64_t k) {
    GemmTask<T> task = product.task(0, product.size.rows, k, panel);
    if (in_place) {
      task.panel = product.b.data + k * product.b.row + panel * width;
      task.panel_row = product.b.row;
    } else {
      product.pack(k, panel, packed.data());
      task.panel = packed.data();
    }
    product.gemm.multiply(task);
  });
}

/// Copies a block of A, so that its rows have unit stride. Returns where it is read from now.
template <class T>
void copy_block(const Product<T>& product, GemmTask<T>& task, T* to) {
  if (task.a_row == 1) {
    product.gemm.transpose(task.a, task.a_step, task.inner, task.rows, T(1), to, task.inner);
  } else {
    for (std::int64_t i = 0; i < task.rows; ++i) {
      const T* const from = task.a + i * task.a_row;
      for (std::int64_t k = 0; k < task.inner; ++k) to[i * task.inner + k] = from[k * task.a_step];
    }
  }
}

/// B in panels: for each block of inner rows, each panel's rows one after the other.
template <class T>
class PackedPanels {
 public:
  explicit PackedPanels(const Product<T>& product)
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
  const Product<T>& product_;
  Scratch<T> data_;
};

/// Rows of A times panels first_panel .. last_panel - 1.
template <class T>
void multiply_block(const Product<T>& product, const PackedPanels<T>& packed, std::int64_t i,
                    std::int64_t first_panel, std::int64_t last_panel) {
  const std::int64_t rows = std::min(kRowBlock, product.size.rows - i);
  const bool copied = product.a.step != 1 && product.size.inner > 1;
  const Scratch<T> block(static_cast<std::size_t>(copied ? rows * product.depth(0) : 0));
  for_inner_blocks(product.size.inner, [&](std::int64_t k) {
    for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
      GemmTask<T> task = product.task(i, rows, k, panel);
      task.panel = packed.at(k, panel);
      if (copied) {
        if (panel == first_panel) copy_block(product, task, block.data());
        task.a = block.data();
        task.a_row = task.inner;
        task.a_step = 1;
      }
      product.gemm.multiply(task);
    }
  });
}

}  // namespace

template <class T>
void multiply_matrices(const Matrix<T>& a, const Matrix<T>& b, const T* bias, T* out,
                       const ProductSize& size) {
  if (size.rows == 0 || size.columns == 0) return;
  const Product<T> product{kernels<T>(), a, b, bias, out, size};
  const std::int64_t panels = product.panels();
  if (static_cast<double>(size.rows * size.columns) * static_cast<double>(size.inner) < kSmall) {
    for (std::int64_t panel = 0; panel < panels; ++panel) multiply_panel(product, panel);
    return;
  }
  if (size.rows <= kRowBlock) {
    parallel_for(panels, [&](std::int64_t panel) { multiply_panel(product, panel); });
    return;
  }
  const PackedPanels<T> packed(product);
  const std::int64_t blocks = divide_up(size.rows, kRowBlock);
  const std::int64_t group = divide_up(panels, divide_up(kTasks, blocks));
  const std::int64_t groups = divide_up(panels, group);
  parallel_for(blocks * groups, [&](std::int64_t index) {
    const std::int64_t first = index % groups * group;
    multiply_block(product, packed, index / groups * kRowBlock, first,
                   std::min(first + group, panels));
  });
}

template void multiply_matrices<float>(const Matrix<float>&, const Matrix<float>&, const float*,
                                       float*, const ProductSize&);
template void multiply_matrices<double>(const Matrix<double>&, const Matrix<double>&, const double*,
                                        double*, const ProductSize&);

}  // namespace foveal
