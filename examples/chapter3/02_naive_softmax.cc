// Section 3.3.1: softmax by its formula, and where that breaks.
//
// softmax(x)_i = exp(x_i) / Σ_j exp(x_j)

#include "chapter.h"

using namespace foveal;

Tensor naive_softmax(const Tensor& x) { return exp(x) / sum(exp(x)); }

int main() {
  const Tensor inputs = chapter_inputs();
  const Tensor attn_scores_2 = matmul(inputs, inputs[1]);  // six dot products at once

  // For small scores the formula is as good as any.
  print("naive softmax of the scores", naive_softmax(attn_scores_2));
  print("softmax of the scores", softmax(attn_scores_2, 0));

  // exp(89) is more than float32 can hold, so it becomes infinity, and infinity / infinity is NaN.
  // A hundred times those scores, by their printed digits: exp would show the last bit of a
  // product, and that is the CPU's own.
  const Tensor large = tensor({95.44, 149.50, 147.54, 84.34, 70.70, 108.65});
  print("scores times 100", large);
  print("exp of them", exp(large));
  print("naive softmax of them", naive_softmax(large));

  // Subtract the largest score first. Numerator and denominator shrink by the same factor, so the
  // result is the same, and exp(0) = 1 is now the largest number in sight.
  const Tensor shifted = large - max(large, 0);
  print("naive softmax after subtracting the maximum", naive_softmax(shifted));
  // This is what softmax does.
  print("softmax of the scores times 100", softmax(large, 0));
}
