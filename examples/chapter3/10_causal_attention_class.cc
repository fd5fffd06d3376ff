// Section 3.5.3: a class with causal mask and dropout, for batches.

#include "chapter.h"

using namespace foveal;

int main() {
  const Tensor batch = chapter_batch();
  print("shape of the batch (B, L, d_in)", batch.shape());

  Generator generator(123);
  const nn::CausalAttention ca({.d_in = 3, .d_out = 2, .context_length = 6, .dropout = 0.0},
                               generator);
  const Tensor context_vecs = ca.forward(batch);
  print("context vectors", context_vecs);
  print("their shape (B, L, d_out)", context_vecs.shape());

  // The mask is made once, for the longest sequence; a shorter one uses its upper left corner. A
  // causal row never looks ahead, so the first three rows are what they were.
  print("of the first three tokens alone", ca.forward(batch.slice(1, 0, 3)));
}
