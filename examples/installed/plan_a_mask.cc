// Attention with a mask given as an expression: what the plan says, and what came out.
//
//   plan_a_mask ["causal() & window(255, 0)"]

#include <foveal/foveal.h>

#include <iostream>

using namespace foveal;

namespace {

void run(const std::string& mask) {
  Generator generator(123);
  const Tensor q = randn({1, 8, 2048, 64}, generator);
  const Tensor k = randn({1, 2, 2048, 64}, generator);  // 4 query heads share a KV head
  const Tensor v = randn({1, 2, 2048, 64}, generator);

  AttentionOptions options;
  options.mask = parse_mask(mask);
  for (const MaskWarning& warning : lint(options.mask, 1, 2048, 2048)) {
    std::cout << "warning: " << warning.text << "\n";
  }
  const Plan plan = plan_attention(q.shape(), k.shape(), v.shape(), q.dtype(), options);
  std::cout << plan.explain();

  const Tensor output = plan.run(q, k, v).output;
  std::cout << "output " << to_string(output.shape()) << ", its first number "
            << output.at({0, 0, 0, 0}) << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "causal() & window(255, 0)");
  } catch (const Error& error) {
    std::cerr << "plan_a_mask: " << error.what() << "\n";
    return 1;
  }
}
