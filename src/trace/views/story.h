#pragma once
// The words and choices that the views share: headline, what is shown of long
// inputs, which key the followed query is explained with, and its arithmetic step by step.

#include <cstdint>
#include <string>
#include <vector>

#include "trace/run/arithmetic.h"
#include "trace/run/record.h"

namespace foveal::trace {

/// "3 heads", "1 head".
std::string counted(std::int64_t count, const std::string& noun);

/// "Causal self-attention with 2 heads, step by step".
std::string headline(const Record& record);
/// "3 tokens, 3 features in, 2 out. The row followed: The (query 0)."
std::string summary(const Record& record);

/// Of the worked example: what it is, and the command to go on with. Empty for any other record.
struct WhereNext {
  std::string words, command;
};
WhereNext where_next(const Record& record);

/// "the chapter's ω, attn_scores"; empty where the chapter has no name of its own for the step.
std::string in_the_chapter(StepName step);

/// The entries of an axis that are shown: all, or kMostCells around `centre`.
struct Window {
  std::int64_t begin = 0, end = 0, size = 0;
  std::int64_t shown() const { return end - begin; }
  bool whole() const { return shown() == size; }
};
Window window_around(std::int64_t centre, std::int64_t size);

/// The window of an axis of a step ("query", "key", "token": around the followed one; "feature":
/// from 0; "head": all).
Window window_of(const Record& record, const std::string& axis, std::int64_t size);

/// What a reader must know where windows cut something off; else empty.
std::string window_note(const Record& record);

/// A number as the picture and the page write it: show() with the sign −.
std::string pretty(double value, const Digits& digits);
/// The same for a text that holds such numbers.
std::string pretty(const std::string& text);

/// "shown with 4 decimals" of numbers from the input that have more; else empty.
std::string rounded(const Digits& given);

/// What leads to a step from the one before it: "Q · Kᵀ", "softmax".
std::string led_by(const Record& record, const Step& step);

/// The pair that is explained in full: the followed query, and the key of its first wrong printed
/// number, else the one with the largest weight
/// that is not its own; its own where it sees no other.
struct Pair {
  std::int64_t head = 0, query = 0, key = 0;
};
Pair looked_at(const Record& record);

/// The arithmetic of `pair` in every step from the scores to the context.
std::vector<Arithmetic> story(const Record& record, const Pair& pair);
/// "How The looks at sat".
std::string story_title(const Record& record, const Pair& pair);

/// A token in a sentence: made visible, and in quotes where it is no word.
std::string token_in_words(const Record& record, std::int64_t index);

/// The name of an axis entry: the token, or the number of the feature.
std::string axis_label(const Record& record, const std::string& axis, std::int64_t index);

}  // namespace foveal::trace
