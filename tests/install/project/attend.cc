// Attention of one query that scores both keys alike: the context is the mean of the values.
#include <foveal/foveal.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  using foveal::Tensor;
  Tensor query = Tensor::from_vector(std::vector<float>{1, 1}, {1, 2});
  Tensor key = Tensor::from_vector(std::vector<float>{1, 0, 0, 1}, {2, 2});
  Tensor value = Tensor::from_vector(std::vector<float>{2, 6}, {2, 1});
  float context = *foveal::reference::attention(query, key, value).context.data<float>();
  std::printf("context %g\n", static_cast<double>(context));
  return std::fabs(context - 4) < 1e-6f ? 0 : 1;
}
