// Exercise 3.2: two heads, but output vectors of width 2, without touching the class.

#include "chapter.h"

using namespace foveal;

int main() {
  // In the wrapper d_out is the width of one head. Two heads of width 1 give 2 columns.
  Generator generator(123);
  const nn::MultiHeadAttentionWrapper mha({.d_in = 3, .d_out = 1, .context_length = 6}, 2,
                                          generator);
  const Tensor context_vecs = mha.forward(chapter_batch());

  // The numbers printed with the chapter's solution come from an older state of its code; no seed
  // gives them today. These are what PyTorch computes from seed 123.
  print("context vectors", context_vecs);
  print("their shape (B, L, num_heads · d_out)", context_vecs.shape());
}
