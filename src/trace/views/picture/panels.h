#pragma once
// The panels of the picture: each step, and each W beside it.

#include <optional>

#include "draw/panel.h"
#include "trace/views/shown.h"

namespace foveal::trace {

/// How much room a picture has.
struct Room {
  double width = 0;        ///< widest that a panel may become
  double label_limit = 0;  ///< longest token label
};

draw::Panel step_panel(const Record& record, const Step& step, const Pair& pair, const Room& room);

/// W_name with b_name as its last row, cut into one block of columns a head, and into more where
/// the room is narrow; heat where it has more rows or columns than numbers are shown for. Nothing
/// where the input has none.
std::optional<draw::Panel> weight_panel(const std::string& name, const Tensor& weight,
                                        const Tensor& bias, std::int64_t blocks, const Room& room);

}  // namespace foveal::trace
