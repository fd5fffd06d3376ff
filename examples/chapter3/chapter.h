#pragma once
// What all programs of the chapter share: its six input vectors, and printing with a label.

#include <foveal/foveal.h>

#include <iostream>
#include <string>

/// Six tokens, three numbers each: (L, d_in) = (6, 3). Real embeddings are wider; three numbers can
/// be followed by hand.
inline foveal::Tensor chapter_inputs() {
  return foveal::tensor({{0.43, 0.15, 0.89},
                         {0.55, 0.87, 0.66},
                         {0.57, 0.85, 0.64},
                         {0.22, 0.58, 0.33},
                         {0.77, 0.25, 0.10},
                         {0.05, 0.80, 0.55}});
}

/// The inputs twice, as a batch of two equal sequences: (B, L, d_in) = (2, 6, 3).
inline foveal::Tensor chapter_batch() {
  return foveal::stack({chapter_inputs(), chapter_inputs()}, 0);
}

inline void print(const std::string& label, const foveal::Tensor& tensor) {
  std::cout << label << ":\n" << to_string(tensor) << "\n\n";
}

inline void print(const std::string& label, const foveal::Shape& shape) {
  std::cout << label << ": " << foveal::to_string(shape) << "\n\n";
}

inline void print(const std::string& label, bool holds) {
  std::cout << label << ": " << (holds ? "true" : "false") << "\n\n";
}
