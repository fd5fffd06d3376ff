// Section 3.6.1: several heads, one after the other.
//
// A head is one attention with weights of its own. Heads stand side by side: all read the same
// input, and their outputs are joined. Layers stand on top of each other: one reads what the one
// below wrote. This is about heads.

#include "chapter.h"

using namespace foveal;

int main() {
  Generator generator(123);
  const nn::MultiHeadAttentionWrapper mha({.d_in = 3, .d_out = 2, .context_length = 6}, 2,
                                          generator);
  const Tensor context_vecs = mha.forward(chapter_batch());

  // Here d_out is the width of one head. Two heads of width 2 make 4 columns.
  print("context vectors", context_vecs);
  print("their shape (B, L, num_heads · d_out)", context_vecs.shape());
  print("the first head alone", mha.heads[0]->forward(chapter_batch()));
}
