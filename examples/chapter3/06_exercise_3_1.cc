// Exercise 3.1: give version 1 the weights of version 2, and see the same numbers.

#include "chapter.h"

using namespace foveal;

int main() {
  const Tensor inputs = chapter_inputs();
  Generator generator(123);
  const nn::SelfAttention_v2 sa_v2(3, 2, generator);
  nn::SelfAttention_v1 sa_v1(3, 2, generator);

  // A Linear layer keeps (d_out, d_in); version 1 multiplies by (d_in, d_out). So each weight is
  // transposed on its way. Without that, the shapes (2, 3) and (3, 2) don't fit, and
  // load_state_dict says so. With d_in = d_out they would fit, and the numbers would be wrong
  // without a word.
  sa_v1.load_state_dict({{"W_query", sa_v2.W_query.weight.transpose(0, 1)},
                         {"W_key", sa_v2.W_key.weight.transpose(0, 1)},
                         {"W_value", sa_v2.W_value.weight.transpose(0, 1)}});

  print("version 2", sa_v2.forward(inputs));
  print("version 1 with version 2's weights", sa_v1.forward(inputs));
}
