// Section 3.6.2: from one wide projection to heads, and back.
//
// view gives the same numbers another shape; transpose lets two axes change places. Neither copies.

#include "chapter.h"

using namespace foveal;

int main() {
  // One sequence of three tokens, four numbers each, counted so that you can follow them.
  const Tensor queries = Tensor::arange(12).view({1, 3, 4});
  print("queries (B, L, d_out)", queries);

  // Two heads of width 2: the last axis becomes two.
  const Tensor split = queries.view({1, 3, 2, 2});
  print("split (B, L, H, D)", split);

  // matmul wants each head's matrix (L, D) in the last two axes.
  const Tensor heads = split.transpose(1, 2);
  print("heads (B, H, L, D)", heads);

  // view({1, 2, 3, 2}) in one step has the right shape and the wrong numbers: it cuts the tokens
  // where they stand, so that the first head gets half of token 1 and never sees token 2.
  print("the tempting shortcut, wrong", queries.view({1, 2, 3, 2}));

  // The attention writes its result head after head. Back to tokens: the handle says how to walk
  // through them, the memory stays as it is.
  const Tensor back = heads.contiguous().transpose(1, 2);
  try {
    back.view({1, 3, 4});
  } catch (const Error& error) {
    std::cout << "Error: " << error.what() << "\n\n";
  }
  // A view joins axes only where neighbours are neighbours in memory too. contiguous() copies the
  // numbers into the order that the handle shows; then view works.
  print("joined again (B, L, d_out)", back.contiguous().view({1, 3, 4}));
}
