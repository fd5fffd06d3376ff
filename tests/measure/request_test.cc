// What a row is asked for by: names and sizes.

#include "measure/request.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace foveal::measure {
namespace {

Shape sizes_of(Op op, const std::string& text) {
  Shape sizes;
  for (const auto& [name, size] : named_sizes(op, parse_sizes(op, text))) sizes.push_back(size);
  return sizes;
}

TEST(Request, NamesReadBack) {
  for (const std::string& name : op_names()) EXPECT_EQ(to_string(parse_op(name)), name);
  EXPECT_EQ(message_of([] { parse_op("sideways"); }),
            "--op 'sideways' is unknown: use one of forward, backward, decode, gemm, plan, call, "
            "naive, online, tiled");
}

TEST(Request, SizesInAnyOrder) {
  EXPECT_EQ(sizes_of(Op::forward, "B8,H12,KV4,Lq1024,Lk2048,D64,Dv32"),
            (Shape{8, 12, 4, 1024, 2048, 64, 32}));
  EXPECT_EQ(sizes_of(Op::forward, "Dv32,D64,Lk2048,Lq1024,KV4,H12,B8"),
            (Shape{8, 12, 4, 1024, 2048, 64, 32}));
  EXPECT_EQ(sizes_of(Op::gemm, "K3,M1,N2"), (Shape{1, 2, 3}));
}

TEST(Request, SizesLeftOut) {
  EXPECT_EQ(sizes_of(Op::forward, "H3,Lq7,D5"), (Shape{1, 3, 3, 7, 7, 5, 5}));
  EXPECT_EQ(sizes_of(Op::forward, "Lk7,D5"), (Shape{1, 1, 1, 7, 7, 5, 5}));
  EXPECT_EQ(sizes_of(Op::decode, "Lk7,D5"), (Shape{1, 1, 1, 1, 7, 5, 5}));
}

TEST(Request, SizesThatAreNone) {
  for (const char* text :
       {"", "B", "B8", "Lq8", "Lq8,D", "Lq8,D0", "Lq8,D-1", "Lq8,D1.5", "Lq8;D1", "Lq8,D1,D2",
        "Lq8,D1,", "Lq8,X3,D1", "M1,N2,K3", "Lq8,D9223372036854775808", "Lq8,D 1"}) {
    SCOPED_TRACE(text);
    const std::string message = message_of([&] { parse_sizes(Op::forward, text); });
    EXPECT_EQ(message.find("--shape '" + std::string(text) + "': "), 0U) << message;
  }
  EXPECT_EQ(message_of([] { parse_sizes(Op::gemm, "M1,N2"); }), "--shape 'M1,N2': K is missing");
}

TEST(Request, ShortTextShowsWhereSizesDiffer) {
  EXPECT_EQ(short_text(Op::forward, parse_sizes(Op::forward, "B8,H12,Lq1024,D64")),
            "B8 H12 L1024 D64");
  EXPECT_EQ(short_text(Op::decode, default_sizes(Op::decode)), "H32/8 L1/8192 D128");
  EXPECT_EQ(short_text(Op::gemm, default_sizes(Op::gemm)), "8192x768x768");
}

}  // namespace
}  // namespace foveal::measure
