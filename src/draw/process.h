#pragma once
// Runs another program: no shell, bytes in, bytes out.

#include <chrono>
#include <string>
#include <vector>

namespace foveal::draw {

struct Finished {
  bool found = true;  ///< false: no program of that name on PATH
  int status = 0;     ///< exit status; 128 + signal where a signal ended it
  std::string output;
  std::string errors;
};

/// Runs `arguments` (the first is the program, looked up on PATH), feeds it `input` and collects
/// what it writes. Throws Error (kind internal) where it can't be started for another reason than
/// its absence, or takes longer than `limit`; it is killed then.
Finished run_program(const std::vector<std::string>& arguments, const std::string& input,
                     std::chrono::milliseconds limit);

}  // namespace foveal::draw
