#pragma once
// Reads a merges file: GPT-2's "vocab.bpe".

#include <string>
#include <string_view>
#include <vector>

#include "text/byte_alphabet.h"
#include "text/pair_table.h"

namespace foveal::text {

struct Merges {
  ByteAlphabet alphabet;
  std::vector<std::string> tokens;  ///< the bytes of each id: 256 bytes, then one token a merge
  PairTable pairs;
};

/// A version line ("#version: 0.2"), which may be missing, then one merge a line: two symbols with
/// one space between. Each symbol is a byte or made by a line above, and each line makes a new
/// symbol; so ids are the order of the lines, and a merge can only lead to later ones. `name`
/// stands for the file in errors, which give the line. UTF-8's mark may stand before all of it.
Merges parse_merges(std::string_view text, const std::string& name);

}  // namespace foveal::text
