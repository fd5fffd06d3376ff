#pragma once
// What tests ask of errors.

#include <string>

#include "foveal/error.h"

namespace foveal {

/// The message of the Error that `function` throws, or "no error".
template <class Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace foveal
