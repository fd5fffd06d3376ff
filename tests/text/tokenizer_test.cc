#include "foveal/text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "foveal/error.h"
#include "io/file.h"
#include "text/merges.h"

namespace foveal::text {
namespace {

using Ids = std::vector<std::int64_t>;

const Tokenizer& gpt2() {
  static const Tokenizer tokenizer = Tokenizer::from_merges_file(FOVEAL_GPT2_MERGES);
  return tokenizer;
}

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// The plain form of byte-pair encoding, as the paper gives it: find the earliest merge among all
/// neighbours, do it wherever it stands, from left to right; repeat.
Ids plain_merging(const Merges& merges, std::string_view piece) {
  Ids ids;
  for (const char byte : piece) {
    ids.push_back(merges.alphabet.id_of(static_cast<unsigned char>(byte)));
  }
  const auto merged = [&](std::size_t at) {
    return merges.pairs.find(static_cast<std::uint32_t>(ids[at]),
                             static_cast<std::uint32_t>(ids[at + 1]));
  };
  for (;;) {
    std::uint32_t least = PairTable::kNone;
    for (std::size_t at = 0; at + 1 < ids.size(); ++at) least = std::min(least, merged(at));
    if (least == PairTable::kNone) return ids;
    for (std::size_t at = 0; at + 1 < ids.size(); ++at) {
      if (merged(at) != least) continue;
      ids[at] = least;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
  }
}

/// Merges of random known symbols, so that many overlap and compete.
std::string random_merges(std::mt19937* random, int count) {
  std::vector<std::string> symbols = {"a", "b", "c"};
  std::string text;
  for (int line = 0; line < count; ++line) {
    const std::string left = symbols[(*random)() % symbols.size()];
    const std::string right = symbols[(*random)() % symbols.size()];
    const std::string both = left + right;
    if (std::find(symbols.begin(), symbols.end(), both) != symbols.end()) continue;
    text += left + " " + right + "\n";
    symbols.push_back(both);
  }
  return text;
}

TEST(Tokenizer, MergesAsThePlainFormDoes) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const std::string file = random_merges(&random, 1 + round % 40);
    const Tokenizer tokenizer = Tokenizer::from_merges(file, "random");
    const Merges merges = parse_merges(file, "random");
    for (int text = 0; text < 20; ++text) {
      std::string piece;
      for (auto length = random() % 60; length > 0; --length) piece += "abc"[random() % 3];
      ASSERT_EQ(tokenizer.encode(piece), plain_merging(merges, piece)) << file << piece;
    }
  }
}

TEST(Tokenizer, EachByteHasItsPlace) {
  EXPECT_EQ(gpt2().vocabulary_size(), 50257);
  EXPECT_EQ(gpt2().decode({0, 93, 188, 198, 220, 255}), std::string("!~\0\n \xAD", 6));
  EXPECT_EQ(gpt2().decode({256, 50255, 50256}), " t gazed<|endoftext|>");
}

TEST(Tokenizer, EveryTokenDecodesToBytesThatEncodeBack) {
  for (std::int64_t id = 0; id < 50256; ++id) {
    const std::string bytes = gpt2().decode({id});
    Ids ids;
    try {
      ids = gpt2().encode(bytes);
    } catch (const Error&) {
      continue;  // a part of a character
    }
    ASSERT_EQ(gpt2().decode(ids), bytes);
  }
}

TEST(Tokenizer, EncodesWhatOthersEncode) {
  EXPECT_EQ(gpt2().encode(""), Ids{});
  EXPECT_EQ(gpt2().encode("Hello, world!"), (Ids{15496, 11, 995, 0}));
  EXPECT_EQ(gpt2().encode("    x"), (Ids{220, 220, 220, 2124}));
  EXPECT_EQ(gpt2().encode("don't"), (Ids{9099, 470}));
  EXPECT_EQ(gpt2().encode("日本"), (Ids{33768, 98, 17312, 105}));
}

TEST(Tokenizer, RandomTextComesBack) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (auto length = random() % 80; length > 0; --length) {
      auto c = static_cast<unsigned>(random() % (round % 2 == 0 ? 0x300 : 0x110000));
      if (c >= 0xD800 && c < 0xE000) c -= 0xD000;
      if (c < 0x80) {
        text += static_cast<char>(c);
      } else if (c < 0x800) {
        text += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
      } else if (c < 0x10000) {
        text += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
                 static_cast<char>(0x80 | (c & 63))};
      } else {
        text += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)),
                 static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
      }
    }
    ASSERT_EQ(gpt2().decode(gpt2().encode(text)), text);
  }
}

TEST(Tokenizer, SpecialTokensMustBeAllowed) {
  const std::string text = "one<|endoftext|>two<|endoftext|>";
  EXPECT_EQ(message_of([&] { gpt2().encode(text); }),
            "encode: text holds the special token <|endoftext|> at byte 3: name it in "
            "allowed_special to encode it as id 50256, or take it out");
  const Ids ids = gpt2().encode(text, {"<|endoftext|>"});
  EXPECT_EQ(ids, (Ids{505, 50256, 11545, 50256}));
  EXPECT_EQ(gpt2().decode(ids), text);
  EXPECT_EQ(gpt2().encode("<|endoftext|", {"<|endoftext|>"}), gpt2().encode("<|endoftext|"));
  EXPECT_EQ(message_of([&] { gpt2().encode(text, {"<|pad|>"}); }),
            "encode: allowed_special holds '<|pad|>', but the only special token is "
            "<|endoftext|>");
}

TEST(Tokenizer, InvalidUtf8IsNamedFromTheStartOfTheText) {
  EXPECT_EQ(message_of([&] { gpt2().encode("ab\xFF"); }),
            "encode: text is not valid UTF-8 at byte 2: convert it to UTF-8, or replace what is "
            "broken");
  for (const std::string before : {"<|endoftext|>", "a<|endoftext|>b "}) {
    for (const std::string bad : {"\x80", "\xE2\x82", "\xED\xA0\x80"}) {
      const std::string message =
          message_of([&] { gpt2().encode(before + bad, {"<|endoftext|>"}); });
      EXPECT_NE(message.find("at byte " + std::to_string(before.size()) + ":"), std::string::npos)
          << message;
    }
  }
  // A character cut in two by a special token is broken at its start.
  EXPECT_NE(message_of([&] {
              gpt2().encode("ab\xC3<|endoftext|>\xA9", {"<|endoftext|>"});
            }).find("at byte 2:"),
            std::string::npos);
}

TEST(Tokenizer, DecodeRefusesIdsOutOfRange) {
  EXPECT_EQ(message_of([&] { gpt2().decode({5, 50257}); }),
            "decode: ids[1] is 50257, but ids lie in 0 .. 50256");
  EXPECT_NE(message_of([&] { gpt2().decode({-1}); }), "");
  EXPECT_EQ(gpt2().decode({}), "");
}

TEST(Tokenizer, LongRunsTakeNoQuadraticTime) {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string part : {" ", "a", "\n", "的", "ab"}) {
    std::string run;
    while (run.size() < 1'000'000) run += part;
    const Ids ids = gpt2().encode(run);
    EXPECT_EQ(gpt2().decode(ids), run);
    run += "1!";
    EXPECT_EQ(gpt2().decode(gpt2().encode(run)), run);
  }
  // A second or two; a quadratic loop would take hours.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(5));
}

TEST(Tokenizer, ManySpecialTokensTakeNoQuadraticTime) {
  std::string text;
  for (int part = 0; part < 100'000; ++part) text += "<|endoftext|>é b";
  EXPECT_EQ(gpt2().encode(text, {"<|endoftext|>"}).size(), 300'000u);
}

TEST(Tokenizer, ThreadsMayShareOne) {
  const std::string text = "Several threads may read one tokenizer: naïve, 日本, 3.14! ";
  const Ids expected = gpt2().encode(text);
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (std::size_t thread = 0; thread < equal.size(); ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 50; ++round) equal[thread] += gpt2().encode(text) == expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 50));
}

}  // namespace
}  // namespace foveal::text
