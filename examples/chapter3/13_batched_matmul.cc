// Section 3.6.2: many matrix products in one call.
//
// matmul multiplies the last two axes and goes through all others. With (B, H, L, D) that is one
// product for each sequence of the batch and each head.

#include "chapter.h"

using namespace foveal;

int main() {
  // One sequence, two heads, three tokens, four numbers.
  const Tensor a = tensor({{{{0.2745, 0.6584, 0.2775, 0.8573},
                             {0.8993, 0.0390, 0.9268, 0.7388},
                             {0.7179, 0.7058, 0.9156, 0.4340}},
                            {{0.0772, 0.3565, 0.1479, 0.5331},
                             {0.4066, 0.2318, 0.4545, 0.9737},
                             {0.4606, 0.5159, 0.4220, 0.5786}}}});
  print("shape (B, H, L, D)", a.shape());

  const Tensor batched = matmul(a, a.transpose(2, 3));  // (1, 2, 3, 4) x (1, 2, 4, 3)
  print("both heads at once", batched);

  const Tensor first_head = a[0][0];
  const Tensor second_head = a[0][1];
  const Tensor first = matmul(first_head, first_head.transpose(0, 1));
  const Tensor second = matmul(second_head, second_head.transpose(0, 1));
  print("first head", first);
  print("second head", second);

  std::cout << "one head at a time gives the same: " << std::boolalpha
            << (equal(first, batched[0][0]) && equal(second, batched[0][1])) << "\n";
}
