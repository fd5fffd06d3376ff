#pragma once
// Masks that are made from lists and tensors, and how those are written as text.

#include <string>
#include <vector>

#include "foveal/mask.h"

namespace foveal {

/// "[0,0,1]"
std::string list_text(const std::vector<std::int64_t>& values);

/// The int64 numbers of a tensor of rank 1 (or 1 and 2, where max_rank is 2), row by row. `mask`
/// names the mask in errors.
std::vector<std::int64_t> integers_of(const Tensor& tensor, std::int64_t max_rank,
                                      const std::string& mask);

/// The public functions of these names, with the text that stands for the tensor.
Mask padding_from(const Tensor& lengths, const std::string& source);
Mask document_from(const Tensor& ids, const std::string& source);
Mask dense_from(const Tensor& visible, const std::string& source);

}  // namespace foveal
