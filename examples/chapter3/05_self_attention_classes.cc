// Section 3.4.2: the steps as a class, in two versions.
//
// Both compute softmax(Q K^T / √D) V. They differ in how they keep and draw their weights.

#include "chapter.h"

using namespace foveal;

int main() {
  const Tensor inputs = chapter_inputs();

  // Version 1 keeps plain matrices (d_in, d_out), drawn uniformly from 0 to 1.
  Generator generator(123);
  const nn::SelfAttention_v1 sa_v1(3, 2, generator);
  print("version 1, W_query", sa_v1.W_query);
  print("version 1, context vectors", sa_v1.forward(inputs));

  // Version 2 keeps Linear layers. They draw from -1/√d_in to 1/√d_in, which trains better, and
  // they keep the matrix the other way round: (d_out, d_in). forward multiplies by its transpose.
  Generator another(789);
  const nn::SelfAttention_v2 sa_v2(3, 2, another);
  print("version 2, W_query.weight", sa_v2.W_query.weight);
  print("version 2, context vectors", sa_v2.forward(inputs));

  // The numbers differ because the weights do. Exercise 3.1 carries them from one to the other.
}
