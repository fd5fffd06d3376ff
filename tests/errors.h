#pragma once
// What tests ask of errors.

#include <gtest/gtest.h>

#include <string>
#include <vector>

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

/// Each of the words stands in the text.
inline void expect_words(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << text;
}

}  // namespace foveal
