// Section 3.5.2: dropout on the weights.
//
// In training, some weights are set to zero at random, so that a model doesn't lean on few of them.
// The others grow by 1 / (1 - p): on average a row keeps its sum.

#include <cmath>
#include <limits>

#include "chapter.h"

using namespace foveal;

/// The weights that program 07 ends with.
Tensor causal_weights() {
  const Tensor inputs = chapter_inputs();
  Generator generator(789);
  const nn::SelfAttention_v2 sa_v2(3, 2, generator);
  const Tensor queries = sa_v2.W_query.forward(inputs);
  const Tensor keys = sa_v2.W_key.forward(inputs);
  const Tensor scores = matmul(queries, keys.transpose(0, 1));
  const Tensor mask = triu(Tensor::ones({6, 6}), 1).to(DType::boolean);
  const Tensor masked = masked_fill(scores, mask, -std::numeric_limits<double>::infinity());
  return softmax(masked / std::sqrt(2.0), -1);
}

int main() {
  // With p = 0.5 every second one goes, on average, and the others double.
  Generator generator(123);
  print("dropout of ones, p = 0.5", dropout(Tensor::ones({6, 6}), 0.5, generator));

  // The same seed drops the same places.
  generator.seed(123);
  print("dropout of the causal weights, p = 0.5", dropout(causal_weights(), 0.5, generator));

  // Your mask may differ from this one. PyTorch draws dropout by other code on some systems and
  // processors (with Intel's library, for one), and prints of one seed differ with it. These are
  // the numbers of its plain code, which foveal follows bit for bit.

  // Evaluation mode doesn't drop: forget eval() and the same input gives another output each time.
  nn::Dropout layer(0.5, generator);
  layer.eval();
  print("in evaluation mode", layer.forward(Tensor::ones({6})));
}
