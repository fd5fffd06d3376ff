// Section 3.5.1, a step aside: a row in which every key is masked.
//
// It happens with padding, or with a mask the wrong way round.

#include <limits>

#include "chapter.h"

using namespace foveal;

int main() {
  // The chapter's mask with its diagonal hidden too: query 0 has no key left.
  const Tensor scores = Tensor::zeros({3, 3});
  const Tensor strict = triu(Tensor::ones({3, 3}), 0).to(DType::boolean);
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor masked = masked_fill(scores, strict, -infinity);
  print("scores", masked);

  // softmax divides exp by the sum of exp. In row 0 that is 0 / 0, which is NaN: not a number.
  const Tensor weights = softmax(masked, -1);
  print("weights", weights);

  // One NaN spoils all it meets: the context vector of that row is NaN throughout.
  const Tensor values = tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}});
  print("context vectors", matmul(weights, values));
}
