// Section 3.5.1: hiding what comes later.
//
// A model that predicts the next token mustn't look at it. Query i may attend to keys 0 to i: the
// entries above the diagonal go. Two ways lead there, and both give the same weights.

#include <cmath>
#include <limits>

#include "chapter.h"

using namespace foveal;

int main() {
  const Tensor inputs = chapter_inputs();
  Generator generator(789);
  const nn::SelfAttention_v2 sa_v2(3, 2, generator);
  const Tensor queries = sa_v2.W_query.forward(inputs);
  const Tensor keys = sa_v2.W_key.forward(inputs);
  const double root = std::sqrt(static_cast<double>(keys.size(-1)));

  const Tensor attn_scores = matmul(queries, keys.transpose(0, 1));
  print("scores", attn_scores);
  const Tensor attn_weights = softmax(attn_scores / root, -1);
  print("weights without a mask", attn_weights);

  // First way: set weights to zero, then let each row add up to 1 again. Here 1 means "keep".
  const Tensor mask_simple = tril(Tensor::ones({6, 6}));
  print("1 keeps, 0 drops", mask_simple);
  const Tensor masked_simple = attn_weights * mask_simple;
  print("weights times mask: rows no longer add up to 1", masked_simple);
  const Tensor masked_simple_norm = masked_simple / sum(masked_simple, -1, true);
  print("rows divided by their sums", masked_simple_norm);

  // Second way: one softmax instead of two normalisations. exp(-inf) is 0, so a score of -inf
  // leaves no trace in the sum. Here 1 means "drop": the opposite of the mask above. Each mask is
  // right for its own formula; swapped, the model sees the future alone.
  const Tensor mask = triu(Tensor::ones({6, 6}), 1);
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor masked = masked_fill(attn_scores, mask.to(DType::boolean), -infinity);
  print("scores with -inf above the diagonal", masked);
  print("weights", softmax(masked / root, -1));
}
