// Section 3.3.2: the same for all tokens at once.
//
// Every token is a query now. Row i of each matrix belongs to query i, column j to key j.

#include "chapter.h"

using namespace foveal;

int main() {
  const Tensor inputs = chapter_inputs();  // (6, 3)

  // Two loops, one dot product for each pair of tokens ...
  Tensor by_loops = Tensor::zeros({6, 6});
  for (std::int64_t i = 0; i < 6; ++i) {
    for (std::int64_t j = 0; j < 6; ++j) {
      by_loops.set({i, j}, dot(inputs[i], inputs[j]).item());
    }
  }
  // ... are one matrix product: (6, 3) x (3, 6).
  const Tensor attn_scores = matmul(inputs, inputs.transpose(0, 1));
  print("scores", attn_scores);
  std::cout << "loops and matrix product agree: " << std::boolalpha
            << allclose(by_loops, attn_scores) << "\n\n";

  // Softmax along the last axis: each row adds up to 1. Along the first axis the columns would, and
  // nothing would complain. The shape is the same. (PyTorch shows some of these sums as 1.0000: it
  // adds in float32 and ends a hair off. foveal adds in float64 and rounds once.)
  const Tensor attn_weights = softmax(attn_scores, -1);
  print("weights", attn_weights);
  print("row sums", sum(attn_weights, -1));

  // Row i of the result mixes all inputs by row i of the weights.
  const Tensor all_context_vecs = matmul(attn_weights, inputs);
  print("context vectors", all_context_vecs);
  print("the second one, as program 01 has it", all_context_vecs[1]);
}
