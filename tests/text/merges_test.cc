#include "text/merges.h"

#include <gtest/gtest.h>

#include <string>

#include "foveal/error.h"
#include "foveal/text/tokenizer.h"

namespace foveal::text {
namespace {

using namespace std::string_literals;

std::string message_of(const std::string& merges) {
  try {
    parse_merges(merges, "m.bpe");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ByteAlphabet, IsABijectionInGpt2sOrder) {
  const ByteAlphabet alphabet;
  for (unsigned byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(alphabet.byte_of(alphabet.id_of(static_cast<unsigned char>(byte))), byte);
  }
  EXPECT_EQ(alphabet.id_of('!'), 0u);
  EXPECT_EQ(alphabet.id_of('~'), 93u);
  EXPECT_EQ(alphabet.id_of(0xA1), 94u);
  EXPECT_EQ(alphabet.id_of(0xFF), 187u);
  EXPECT_EQ(alphabet.id_of(0), 188u);
  EXPECT_EQ(alphabet.id_of(' '), 220u);
  EXPECT_EQ(alphabet.id_of(0xAD), 255u);
}

TEST(ByteAlphabet, ReadsSpelledBytesAndStopsAtOthers) {
  const ByteAlphabet alphabet;
  std::size_t used = 0;
  EXPECT_EQ(alphabet.bytes_of("aĠ¡Ń", &used), "a \xA1\xAD");
  EXPECT_EQ(used, 7u);
  // A raw space, a raw Latin-1 control, U+0144, three-byte and broken sequences spell nothing.
  for (const char* bad : {"a ", "a\xC2\x80", "a\xC2\xAD", "ań", "aŀĿń", "a日", "a\xC4", "a\xC4z",
                          "a\xC0\xA1", "a\xFF", "a\x7F", "a\n"}) {
    alphabet.bytes_of(bad, &used);
    EXPECT_LT(used, std::string(bad).size()) << bad;
  }
  alphabet.bytes_of("a\0b"s, &used);
  EXPECT_EQ(used, 1u);
}

TEST(Merges, IdsFollowTheLines) {
  const Merges merges = parse_merges("#version: 0.2\nt h\nth e\nĠ the\n", "m.bpe");
  ASSERT_EQ(merges.tokens.size(), 259u);
  EXPECT_EQ(merges.tokens[256], "th");
  EXPECT_EQ(merges.tokens[257], "the");
  EXPECT_EQ(merges.tokens[258], " the");
  EXPECT_EQ(merges.pairs.find(merges.alphabet.id_of('t'), merges.alphabet.id_of('h')), 256u);
  EXPECT_EQ(merges.pairs.find(merges.alphabet.id_of(' '), 257), 258u);
  EXPECT_EQ(merges.pairs.find(257, 257), PairTable::kNone);
}

TEST(Merges, VersionLineAndLastLineEndMayBeMissing) {
  EXPECT_EQ(parse_merges("t h\nth e", "m.bpe").tokens.size(), 258u);
  EXPECT_EQ(parse_merges("#version: 0.2\nt h", "m.bpe").tokens.size(), 257u);
  // "#version" means a version in line 1 alone; '#' is a byte like others.
  EXPECT_EQ(parse_merges("# v\n#v e", "m.bpe").tokens.size(), 258u);
}

TEST(Merges, TheFilesEncodingIsToldApart) {
  EXPECT_EQ(parse_merges("\xEF\xBB\xBF#version: 0.2\nt h", "m.bpe").tokens.size(), 257u);
  EXPECT_EQ(parse_merges("\xEF\xBB\xBFt h\n", "m.bpe").tokens.size(), 257u);
  for (const std::string& bytes : {"#\0v\0"s, "\xFF\xFE#\0v\0"s}) {
    EXPECT_EQ(message_of(bytes),
              "merges file 'm.bpe': is text in UTF-16 (little-endian): save it as UTF-8");
  }
}

TEST(Merges, HostileFilesAreOneLineWithTheirPlace) {
  EXPECT_EQ(message_of(""), "merges file 'm.bpe': holds no merges: is it the right file?");
  EXPECT_EQ(message_of("#version: 0.2\n"), message_of(""));
  const std::string parts = "must be two symbols with one space between";
  for (const char* line : {"th", "", " th", "th ", "t h e", "t  h", " "}) {
    EXPECT_EQ(message_of("a b\n" + std::string(line) + "\nc d\n"),
              "merges file 'm.bpe', line 2: " + parts)
        << line;
  }
  EXPECT_EQ(message_of("#version: 0.2\r\nt h\r\n"),
            "merges file 'm.bpe', line 2: ends in CR LF: save the file with LF line ends");
  EXPECT_EQ(message_of("t h\nt h\n"),
            "merges file 'm.bpe', line 2: makes the same symbol as line 1: each merge must make a "
            "new one");
  EXPECT_EQ(message_of("#version\na b\nb c\nab c\na bc\n"),
            "merges file 'm.bpe', line 5: makes the same symbol as line 4: each merge must make a "
            "new one");
  EXPECT_EQ(message_of("th e\nt h\n"),
            "merges file 'm.bpe', line 1: left part is neither a byte nor made by a line above: "
            "put the merge that makes it first");
  EXPECT_NE(message_of("t he\n").find("line 1: right part"), std::string::npos);
  EXPECT_EQ(message_of("a b\nab \xFFz\n"),
            "merges file 'm.bpe', line 2: byte 255 at place 4 begins none of the 256 characters "
            "that spell bytes in such a file");
  EXPECT_NE(message_of("a\0 b\n"s).find("byte 0 at place 2"), std::string::npos);
  EXPECT_NE(message_of("日 b\n").find("byte 230 at place 1"), std::string::npos);
  EXPECT_NE(message_of("{\"a\": 1}"), "");
}

TEST(Merges, TooLargeFilesAreRefused) {
  EXPECT_NE(message_of(std::string((std::size_t{1} << 26) + 1, '\n')).find("is it the right file"),
            std::string::npos);
  // Short lines, as many as the limit on bytes allows: the first bad one is named, at once.
  EXPECT_NE(message_of(std::string(std::size_t{1} << 26, '\n')).find("line 1: "),
            std::string::npos);
}

TEST(Merges, MissingFilesAndFoldersAreErrorsOfTheFile) {
  for (const std::string path : {"/nowhere/vocab.bpe", "/", ""}) {
    try {
      Tokenizer::from_merges_file(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::file);
    }
  }
}

}  // namespace
}  // namespace foveal::text
