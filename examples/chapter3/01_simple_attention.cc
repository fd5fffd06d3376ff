// Section 3.3.1: attention without trainable weights, for one query.
//
// One token, the query, looks at all tokens. Three steps: score, normalise, mix.

#include "chapter.h"

using namespace foveal;

int main() {
  const Tensor inputs = chapter_inputs();  // (6, 3)
  const Tensor query = inputs[1];          // the second token; the names below call it 2

  // Step 1, scores. A dot product multiplies number by number and adds up. It is large where two
  // vectors point the same way. A score may be any number; it isn't a share of anything yet.
  Tensor attn_scores_2 = Tensor::zeros({6});
  for (std::int64_t i = 0; i < 6; ++i) {
    attn_scores_2.set({i}, dot(inputs[i], query).item());
  }
  print("scores of query 2", attn_scores_2);

  // Step 2, weights. They are positive and add up to 1, so that they can share out the mixture.
  // Dividing by the sum would do for these scores; it fails as soon as one of them is negative.
  const Tensor by_sum = attn_scores_2 / sum(attn_scores_2);
  print("scores divided by their sum", by_sum);

  // Softmax always works: exp makes every score positive, then the sum divides.
  const Tensor attn_weights_2 = softmax(attn_scores_2, 0);
  print("weights of query 2 (softmax)", attn_weights_2);
  print("their sum", sum(attn_weights_2));

  // Step 3, context. Each token counts as much as its weight says.
  Tensor context_vec_2 = Tensor::zeros({3});
  for (std::int64_t i = 0; i < 6; ++i) {
    context_vec_2 = context_vec_2 + attn_weights_2[i] * inputs[i];
  }
  print("context vector of query 2", context_vec_2);
}
