// The worked example: "The cat sat", with numbers small enough to check by hand.
//
// A printed copy of it reads the key of "sat" as [0, 1] where the product gives [1, 1]. So its
// score of The and sat is 1 instead of 3, and the weights and the context that follow are wrong.
// `foveal explain` walks through every cell of this example.

#include "chapter.h"

using namespace foveal;

int main() {
  const Tensor X = tensor({{1.0, 0.0, 1.0}, {0.0, 1.0, 1.0}, {1.0, 1.0, 0.0}});  // The, cat, sat
  const Tensor W_query = tensor({{1.0, 0.0}, {0.0, 1.0}, {1.0, 1.0}});
  const Tensor W_key = tensor({{0.0, 1.0}, {1.0, 0.0}, {1.0, 1.0}});
  const Tensor W_value = tensor({{1.0, 1.0}, {0.0, 1.0}, {1.0, 0.0}});

  const Tensor Q = matmul(X, W_query);
  const Tensor K = matmul(X, W_key);
  const Tensor V = matmul(X, W_value);
  print("queries", Q);
  print("keys: the last one, of sat, is [1, 1]", K);
  print("values", V);

  // The example doesn't divide by √D. reference::attention does unless it is told the scale.
  const reference::Stages unscaled = reference::attention(Q, K, V, {.scale = 1.0});
  print("scores", unscaled.scores);
  print("weights", unscaled.weights);
  print("context", unscaled.context);

  // The chapter divides: by the square root of 2 here. The weights are more even then.
  const reference::Stages scaled = reference::attention(Q, K, V);
  print("weights of the scaled scores", scaled.weights);
  print("context of the scaled scores", scaled.context);

  // The slip, made on purpose: these are the numbers of the printed copy.
  const Tensor slipped_keys = tensor({{1.0, 2.0}, {2.0, 1.0}, {0.0, 1.0}});
  const reference::Stages slipped = reference::attention(Q, slipped_keys, V, {.scale = 1.0});
  print("scores of The with the misread key", slipped.scores[0]);
  print("its weights, printed as 0.27, 0.72, 0.01", slipped.weights[0]);
  print("its context, printed as 1.27, 1.01", slipped.context[0]);
}
