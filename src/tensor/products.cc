#include "tensor/products.h"

#include <algorithm>
#include <memory>
#include <new>

#include "core/thread_pool.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

// A panel of so many rows of B stays in the nearest caches while rows of A pass by.
constexpr std::int64_t kInnerBlock = 384;
constexpr std::int64_t kRowBlock = 128;

template <class T>
const GemmKernels<T>& kernels() {
  if constexpr (sizeof(T) == sizeof(double)) {
    return find_target("").gemm_float64;
  } else {
    return find_target("").gemm_float32;
  }
}

template <class T>
struct AlignedDelete {
  void operator()(T* data) const { ::operator delete(data, std::align_val_t{64}); }
};

/// B in panels: for each block of inner rows, each panel's rows one after the other.
template <class T>
class PackedMatrix {
 public:
  PackedMatrix(const Matrix<T>& b, const ProductSize& size, const GemmKernels<T>& gemm)
      : width_(gemm.panel_columns),
        panels_((size.columns + width_ - 1) / width_),
        inner_(size.inner),
        data_(static_cast<T*>(
            ::operator new(static_cast<std::size_t>(panels_ * width_ * inner_) * sizeof(T),
                           std::align_val_t{64}))) {
    parallel_for(panels_, [&](std::int64_t panel) {
      const std::int64_t first = panel * width_;
      const std::int64_t columns = std::min(width_, size.columns - first);
      for (std::int64_t k = 0; k < inner_; k += kInnerBlock) {
        const std::int64_t depth = std::min(kInnerBlock, inner_ - k);
        gemm.pack(b.data + k * b.row + first * b.step, b.row, b.step, depth, columns,
                  at(k, panel, depth));
      }
    });
  }

  std::int64_t panels() const { return panels_; }

  /// The panel's rows k .. k + depth - 1, k a multiple of the inner block.
  T* at(std::int64_t k, std::int64_t panel, std::int64_t depth) const {
    return data_.get() + (k * panels_ + panel * depth) * width_;
  }

 private:
  std::int64_t width_, panels_, inner_;
  std::unique_ptr<T, AlignedDelete<T>> data_;
};

}  // namespace

template <class T>
void multiply_matrices(const Matrix<T>& a, const Matrix<T>& b, const T* bias, T* out,
                       const ProductSize& size) {
  if (size.rows == 0 || size.columns == 0) return;
  const GemmKernels<T>& gemm = kernels<T>();
  const PackedMatrix<T> packed(b, size, gemm);
  const std::int64_t blocks = (size.rows + kRowBlock - 1) / kRowBlock;
  parallel_for(blocks, [&](std::int64_t block) {
    const std::int64_t i = block * kRowBlock;
    std::int64_t k = 0;
    do {  // once where inner is 0 too: the sums are then the bias, or 0
      const std::int64_t depth = std::min(kInnerBlock, size.inner - k);
      for (std::int64_t panel = 0; panel < packed.panels(); ++panel) {
        const std::int64_t j = panel * gemm.panel_columns;
        GemmTask<T> task;
        task.a = a.data + i * a.row + k * a.step;
        task.a_row = a.row;
        task.a_step = a.step;
        task.panel = packed.at(k, panel, depth);
        task.inner = depth;
        task.c = out + i * size.columns + j;
        task.c_row = size.columns;
        task.rows = std::min(kRowBlock, size.rows - i);
        task.columns = std::min(gemm.panel_columns, size.columns - j);
        task.bias = bias == nullptr ? nullptr : bias + j;
        task.add = k > 0;
        gemm.multiply(task);
      }
      k += depth;
    } while (k < size.inner);
  });
}

template void multiply_matrices<float>(const Matrix<float>&, const Matrix<float>&, const float*,
                                       float*, const ProductSize&);
template void multiply_matrices<double>(const Matrix<double>&, const Matrix<double>&, const double*,
                                        double*, const ProductSize&);

}  // namespace foveal
