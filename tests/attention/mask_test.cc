// Every mask expression against the table of the notation, cell by cell.

#include "foveal/mask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <random>

#include "attention/mask/tiles.h"
#include "case_count.h"
#include "foveal/error.h"

namespace foveal {
namespace {

using Visible = std::function<bool(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j)>;

struct Case {
  Mask mask;
  Visible visible;
};

/// Random expressions with their meaning, written down apart from the library's.
class Masks {
 public:
  explicit Masks(unsigned seed) : random_(seed) {}

  MaskShape shape() {
    const std::int64_t queries = pick({0, 1, 2, 15, 63, 64, 65, 130}),
                       keys = pick({0, 1, 7, 63, 64, 65, 129, 200});
    return {pick({1, 2}), pick({1, 3}), queries, number(0, 1) ? queries : keys};
  }

  Case expression(const MaskShape& shape, int depth) {
    const std::int64_t kind = depth == 0 ? 0 : number(0, 3);
    if (kind == 0) return atom(shape);
    const Case a = expression(shape, depth - 1);
    if (kind == 1) {
      return {!a.mask, [a](auto... at) { return !a.visible(at...); }};
    }
    const Case b = expression(shape, depth - 1);
    if (kind == 2) {
      return {a.mask & b.mask, [a, b](auto... at) { return a.visible(at...) && b.visible(at...); }};
    }
    return {a.mask | b.mask, [a, b](auto... at) { return a.visible(at...) || b.visible(at...); }};
  }

 private:
  std::int64_t number(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  std::int64_t pick(std::vector<std::int64_t> values) {
    return values[static_cast<std::size_t>(
        number(0, static_cast<std::int64_t>(values.size()) - 1))];
  }

  Case atom(const MaskShape& shape) {
    const std::int64_t offset = shape.key_length - shape.query_length, length = shape.key_length;
    switch (number(0, 6)) {
      case 0:
        return {none(), [](auto...) { return true; }};
      case 1:
        return {causal(Corner::top_left), [](auto, auto, auto i, auto j) { return j <= i; }};
      case 2:
        return {causal(Corner::bottom_right),
                [=](auto, auto, auto i, auto j) { return j <= i + offset; }};
      case 3: {
        const std::int64_t left = number(-1, length + 1), right = number(-1, 70);
        return {window(left, right), [=](auto, auto, auto i, auto j) {
                  return (left < 0 || j >= i + offset - left) &&
                         (right < 0 || j <= i + offset + right);
                }};
      }
      case 4:
        return document_atom(shape);
      case 5: {
        std::vector<std::int64_t> lengths;
        for (std::int64_t b = 0; b < shape.batch; ++b) lengths.push_back(number(0, length));
        return {padding(lengths), [=](auto b, auto, auto, auto j) {
                  return j < lengths[static_cast<std::size_t>(b)];
                }};
      }
      default:
        return dense_atom(shape);
    }
  }

  Case document_atom(const MaskShape& shape) {
    std::vector<std::vector<std::int64_t>> ids(static_cast<std::size_t>(shape.batch));
    const bool sorted = number(0, 1);
    for (auto& list : ids) {
      for (std::int64_t j = 0; j < shape.key_length; ++j) list.push_back(number(-1, 3));
      if (sorted) std::sort(list.begin(), list.end());
    }
    const std::int64_t offset = shape.offset();
    return {document(ids), [=](auto b, auto, auto i, auto j) {
              const auto& list = ids[static_cast<std::size_t>(b)];
              return i + offset >= 0 && list[static_cast<std::size_t>(j)] ==
                                            list[static_cast<std::size_t>(i + offset)];
            }};
  }

  Case dense_atom(const MaskShape& shape) {
    const Shape sizes = {number(0, 1) ? shape.batch : 1, number(0, 1) ? shape.heads : 1,
                         number(0, 1) ? shape.query_length : 1,
                         number(0, 3) ? shape.key_length : 1};
    Tensor visible = Tensor::zeros(sizes, DType::boolean);
    bool* cells = visible.data<bool>();
    for (std::int64_t n = 0; n < visible.element_count(); ++n) cells[n] = number(0, 9) < 6;
    return {dense(visible), [=](std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) {
              return visible.at({std::min(b, sizes[0] - 1), std::min(h, sizes[1] - 1),
                                 std::min(i, sizes[2] - 1), std::min(j, sizes[3] - 1)}) != 0;
            }};
  }

  std::mt19937 random_;
};

bool contains(const IntervalSet& set, std::int64_t j) {
  for (const Interval& interval : set.intervals()) {
    if (interval.begin <= j && j < interval.end) return true;
  }
  return false;
}

/// The words of several queries at once are those of each.
void check_words(const BoundMask& mask, std::int64_t b, std::int64_t h, std::int64_t first,
                 std::int64_t last) {
  std::array<std::uint64_t, 64> words{};
  for (std::int64_t j0 = 0; j0 < mask.shape().key_length; j0 += 13) {
    mask.words(b, h, first, last, j0, words.data());
    for (std::int64_t i = first; i < last; ++i) {
      ASSERT_EQ(words[static_cast<std::size_t>(i - first)], mask.word(b, h, i, j0))
          << "i " << i << " j0 " << j0;
    }
  }
}

/// Words, key sets, tiles and counts of one block of queries against `visible`.
void check_block(const BoundMask& mask, const Visible& visible, std::int64_t b, std::int64_t h,
                 std::int64_t first, std::int64_t last, std::int64_t tile) {
  const std::int64_t keys = mask.shape().key_length;
  const VisibleKeys sets = mask.keys(b, h, first, last);
  std::int64_t pairs = 0;
  std::vector<int> tiles(static_cast<std::size_t>((keys + tile - 1) / tile), 0);  // 0 empty
  for (const TileRun& run : tile_runs(mask, b, h, first, last, tile)) {
    for (std::int64_t t = run.first; t < run.last; ++t) {
      tiles[static_cast<std::size_t>(t)] = run.kind == TileKind::full ? 2 : 1;
    }
  }
  for (std::int64_t j0 = 0; j0 < keys; j0 += tile) {
    std::int64_t seen = 0, cells = 0;
    for (std::int64_t j = j0; j < std::min(j0 + tile, keys); ++j) {
      bool any = false, all = true;
      for (std::int64_t i = first; i < last; ++i) {
        const bool expected = visible(b, h, i, j);
        ASSERT_EQ((mask.word(b, h, i, j) & 1) != 0, expected) << "i " << i << " j " << j;
        any = any || expected;
        all = all && expected;
        seen += expected;
        ++cells;
      }
      ASSERT_TRUE(!any || contains(sets.any, j)) << j;
      ASSERT_TRUE(all || !contains(sets.all, j)) << j;
    }
    ASSERT_EQ(tiles[static_cast<std::size_t>(j0 / tile)], seen == 0 ? 0 : seen == cells ? 2 : 1);
    pairs += seen;
  }
  ASSERT_EQ(visible_pairs(mask, b, h, first, last), pairs);
  check_words(mask, b, h, first, std::min(last, first + 64));
}

TEST(Mask, AnswersAsTheTableSays) {
  for (unsigned seed = 0; seed < case_count(100); ++seed) {
    Masks masks(seed);
    const MaskShape shape = masks.shape();
    const Case one = masks.expression(shape, 2);
    SCOPED_TRACE(std::to_string(seed) + ": " + to_string(one.mask));
    const auto bound = one.mask.node().bind(shape);
    for (std::int64_t first = 0; first < shape.query_length; first += 64) {
      const std::int64_t last = std::min(first + 64, shape.query_length);
      check_block(*bound, one.visible, shape.batch - 1, shape.heads - 1, first, last,
                  seed % 2 ? 64 : 32);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Mask, WordsHoldNothingPastTheKeys) {
  for (const Mask& mask : {none(), !prefix(3), causal(Corner::bottom_right) | window(-1, -1)}) {
    const auto bound = mask.node().bind({1, 1, 2, 70});
    EXPECT_EQ(bound->word(0, 0, 1, 64) >> 6, 0u) << to_string(mask);
    EXPECT_EQ(bound->word(0, 0, 1, 128), 0u) << to_string(mask);
  }
}

TEST(Mask, TextIsReadBack) {
  for (const char* text :
       {"none()", "causal()", "causal(top_left)", "window(128, 0)", "window(-1, -1)", "prefix(3)",
        "padding([5,7])", "document([0,0,1])", "document([[0,0,1],[0,1,1]])",
        "causal(bottom_right) & window(512, 0)", "!(none() & prefix(2)) | !prefix(1)",
        "(prefix(1) | prefix(2)) & prefix(3)"}) {
    EXPECT_EQ(to_string(parse_mask(text)), text);
  }
  EXPECT_EQ(to_string(parse_mask(" none&causal ( ) |! prefix( 2 )")),
            "none() & causal() | !prefix(2)");
}

TEST(Mask, NotBindsBeforeAndBeforeOr) {
  const auto bound =
      parse_mask("!prefix(1) & prefix(2) | prefix(4) & !prefix(3)").node().bind({1, 1, 1, 6});
  EXPECT_EQ(bound->word(0, 0, 0, 0), 0b001010u);
}

TEST(Mask, FilesComeFromTheReader) {
  const MaskFileReader reader = [](const std::string& path) {
    return path == "my file.npy" ? tensor({true, false}) : tensor({1, 1});
  };
  const Mask mask = parse_mask("dense(\"my file.npy\") & document(ids.npy)", reader);
  EXPECT_EQ(to_string(mask), "dense(\"my file.npy\") & document(ids.npy)");
  EXPECT_EQ(mask.node().bind({1, 1, 2, 2})->word(0, 0, 0, 0), 1u);
}

std::string message_of(const std::function<void()>& act, ErrorKind kind) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(Mask, ErrorsShowThePlace) {
  const auto parse_error = [](const std::string& text) {
    return message_of([&] { parse_mask(text); }, ErrorKind::usage);
  };
  EXPECT_NE(parse_error("causal(middle)").find("character 7"), std::string::npos);
  EXPECT_NE(parse_error("window(1)").find("expected ','"), std::string::npos);
  EXPECT_NE(parse_error("window(-2, 0)").find("-1 or more"), std::string::npos);
  EXPECT_NE(parse_error("none() none()").find("character 7"), std::string::npos);
  EXPECT_NE(parse_error("").find("at the end"), std::string::npos);
  EXPECT_NE(parse_error("prefix(99999999999999999999)").find("63 bits"), std::string::npos);
  EXPECT_NE(parse_error("dense(a.npy)").find("can't be read"), std::string::npos);
  EXPECT_NE(parse_error(std::string(100000, '(')).find("deeper"), std::string::npos);
  EXPECT_NE(parse_error(std::string(100000, '!')).find("deeper"), std::string::npos);
}

TEST(Mask, LengthsThatDontFitAreRefused) {
  const auto bind_error = [](const Mask& mask, const MaskShape& shape) {
    return message_of([&] { mask.node().bind(shape); }, ErrorKind::data);
  };
  const MaskShape shape{2, 1, 3, 5};
  EXPECT_NE(bind_error(causal(), shape).find("causal(bottom_right)"), std::string::npos);
  EXPECT_NE(bind_error(padding({1}), shape).find("2 entries"), std::string::npos);
  EXPECT_NE(bind_error(padding({1, 6}), shape).find("lengths[1] is 6"), std::string::npos);
  EXPECT_NE(bind_error(prefix(6), shape).find("0 to 5"), std::string::npos);
  EXPECT_NE(bind_error(document({1, 2}), shape).find("5 keys"), std::string::npos);
  EXPECT_NE(bind_error(dense(Tensor::ones({4, 5}, DType::boolean)), shape).find("(2, 1, 3, 5)"),
            std::string::npos);
}

TEST(MaskLint, NamesWhatLooksLikeAMistake) {
  const auto warnings = [](const Mask& mask, std::int64_t queries, std::int64_t keys) {
    std::string all;
    for (const MaskWarning& warning : lint(mask, 1, queries, keys)) all += warning.text + "\n";
    return all;
  };
  EXPECT_EQ(warnings(causal(), 100, 100), "");
  EXPECT_EQ(warnings(window(16, 0) & causal(), 100, 100), "");
  EXPECT_NE(warnings(causal(Corner::bottom_right), 1, 100).find("hides nothing"),
            std::string::npos);
  EXPECT_NE(warnings(window(100, 0), 100, 100).find("wider than the 100 keys"), std::string::npos);
  EXPECT_NE(warnings(prefix(0), 3, 3).find("3 rows have every key masked"), std::string::npos);
  EXPECT_NE(warnings(causal(Corner::bottom_right), 5, 3).find("first at query 0"),
            std::string::npos);
  EXPECT_NE(warnings(!causal(), 100, 100).find("upside down"), std::string::npos);
}

TEST(MaskLint, RefusesLengthsThatNoPlanTakes) {
  const std::int64_t huge = std::int64_t{1} << 40;
  const std::string text = message_of([&] { lint(causal(), 1, huge, huge); }, ErrorKind::data);
  EXPECT_NE(text.find("63 bits"), std::string::npos) << text;
  EXPECT_NE(text.find("query_length 1099511627776"), std::string::npos) << text;
  EXPECT_TRUE(lint(none(), 1, 1, std::int64_t{1} << 51).empty()) << "many keys of one query";
}

TEST(MaskTiles, CostWhatTheyShow) {
  // 131072 keys: a pass over L^2 cells would take minutes.
  const std::int64_t length = 131072;
  std::vector<std::int64_t> ids;
  for (std::int64_t j = 0; j < length; ++j) ids.push_back(j / 1000);
  for (const Mask& mask :
       {causal(), causal() & window(256, 0), document(ids), padding({100000}), prefix(5)}) {
    const auto bound = mask.node().bind({1, 1, length, length});
    std::int64_t runs = 0;
    for (std::int64_t first = 0; first < length; first += 64) {
      runs += static_cast<std::int64_t>(tile_runs(*bound, 0, 0, first, first + 64, 64).size());
    }
    EXPECT_GT(runs, 0) << to_string(mask).substr(0, 40);
    EXPECT_LE(runs, 6 * length / 64);
  }
}

}  // namespace
}  // namespace foveal
