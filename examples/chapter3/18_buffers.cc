// Bonus part: why the mask is a buffer.
//
// The original page moves a module to a GPU. Its weights go, a mask that is a plain member stays,
// and the next forward mixes two devices. Here the module is moved to float64 instead; what fails,
// and why, is the same.

#include "chapter.h"

using namespace foveal;

void print_names(const std::string& label, const nn::Module& module) {
  std::cout << label << ":";
  for (const auto& [name, tensor] : module.state_dict()) std::cout << " " << name;
  std::cout << "\n\n";
}

int main() {
  const Tensor batch = chapter_batch();
  const nn::CausalAttentionOptions options{.d_in = 3, .d_out = 2, .context_length = 6};
  Generator generator(123);
  nn::CausalAttentionWithoutBuffers without_buffer(options, generator);
  nn::CausalAttention with_buffer(options, generator);

  // Where they were made, both work. Their weights come from one stream, so the numbers differ.
  print("mask as a plain member", without_buffer.forward(batch));
  print("mask as a buffer", with_buffer.forward(batch));

  // A move takes along what is registered: parameters and buffers.
  without_buffer.to(DType::float64);
  with_buffer.to(DType::float64);
  const Tensor moved_batch = batch.to(DType::float64);
  std::cout << "after the move, W_query: " << to_string(without_buffer.W_query.weight.dtype())
            << ", mask as a plain member: " << to_string(without_buffer.mask.dtype())
            << ", mask as a buffer: " << to_string(with_buffer.mask.dtype()) << "\n\n";
  try {
    without_buffer.forward(moved_batch);
  } catch (const Error& error) {
    std::cout << "Error: " << error.what() << "\n\n";
  }

  // The mask can be moved by hand, in every place that moves the module. Miss one, and it fails.
  without_buffer.mask = without_buffer.mask.to(DType::float64);
  print("moved by hand", without_buffer.forward(moved_batch));
  // register_buffer("mask", mask) in the constructor does it once and for all.
  print("the buffer moved along", with_buffer.forward(moved_batch));

  // state_dict, which is what gets saved, holds the buffer and knows nothing of the plain member.
  print_names("state_dict without a buffer", without_buffer);
  print_names("state_dict with a buffer", with_buffer);

  // So a mask that was changed comes back only if it is a buffer. Ones become twos ...
  without_buffer.mask = without_buffer.mask * 2.0;
  with_buffer.mask = with_buffer.mask * 2.0;
  // ... and new modules load what the old ones hold.
  nn::CausalAttentionWithoutBuffers loaded_without(options, generator);
  nn::CausalAttention loaded_with(options, generator);
  loaded_without.load_state_dict(without_buffer.state_dict());
  loaded_with.load_state_dict(with_buffer.state_dict());
  print("plain member after loading: the twos are lost", loaded_without.mask);
  print("buffer after loading: the twos are there", loaded_with.mask);
}
