// .npy files: what NumPy writes is read, what is written is the format's, and hostile bytes are
// refused with one clear line.

#include "io/npy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <random>

#include "foveal/error.h"
#include "foveal/operations.h"

namespace foveal {
namespace {

std::string file_of(const std::string& dictionary, const std::string& data, int major = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(major);
  bytes += '\0';
  for (int n = 0; n < (major == 1 ? 2 : 4); ++n) {
    bytes += static_cast<char>(dictionary.size() >> (8 * n) & 0xFF);
  }
  return bytes + dictionary + data;
}

std::string dictionary_of(const std::string& descr, const std::string& shape,
                          const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

std::string refusal(const std::string& bytes) {
  try {
    parse_npy(bytes, "bad.npy");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    const std::string text = error.what();
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    EXPECT_NE(text.find("bad.npy"), std::string::npos) << text;
    return text;
  }
  return "accepted";
}

void expect_refusal(const std::string& bytes, const std::string& part) {
  const std::string text = refusal(bytes);
  EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
}

TEST(Npy, WhatIsWrittenIsReadBack) {
  std::mt19937 random(1);
  const std::int64_t sizes[] = {0, 1, 2, 3, 5, 17};
  for (int n = 0; n < 200; ++n) {
    Shape shape;
    for (auto axes = random() % 5; axes > 0; --axes) shape.push_back(sizes[random() % 6]);
    const DType dtypes[] = {DType::float16, DType::float32, DType::float64, DType::int64,
                            DType::boolean};
    const Tensor numbers = Tensor::arange(element_count(shape)).view(shape);
    const Tensor tensor = numbers.to(dtypes[random() % 5]);
    const std::string bytes = npy_bytes(tensor);
    EXPECT_TRUE(equal(parse_npy(bytes, "memory"), tensor)) << to_string(shape);
    EXPECT_EQ((bytes.size() -
               static_cast<std::size_t>(tensor.element_count()) * size_of(tensor.dtype())) %
                  64,
              0U);
  }
}

TEST(Npy, WritesTheFormatByteForByte) {
  const std::string bytes = npy_bytes(tensor({1.0, 2.0}));
  std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  dictionary.resize(117, ' ');
  EXPECT_EQ(bytes, file_of(dictionary + "\n", std::string("\0\0\200\77\0\0\0\100", 8)));
}

TEST(Npy, WritesViewsAsTheyAreSeen) {
  const Tensor seen = Tensor::arange(6, DType::float64).view({2, 3}).transpose(0, 1);
  EXPECT_TRUE(equal(parse_npy(npy_bytes(seen), "memory"), seen.contiguous()));
}

TEST(Npy, ReadsColumnMajorFiles) {
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 3, 4}, Shape{5}, Shape{0, 3}, Shape{}}) {
    Shape back(shape.rbegin(), shape.rend());
    const Tensor stored = Tensor::arange(element_count(shape)).view(back);
    std::vector<std::int64_t> axes;
    for (std::int64_t axis = stored.rank(); axis-- > 0;) axes.push_back(axis);
    std::string text = to_string(shape);
    if (shape.size() == 1) text = "(5,)";
    const std::string data(static_cast<const char*>(stored.raw_data()),
                           static_cast<std::size_t>(stored.element_count()) * 8);
    const Tensor read = parse_npy(file_of(dictionary_of("<i8", text, "True"), data), "memory");
    EXPECT_TRUE(read.is_contiguous());
    EXPECT_TRUE(equal(read, stored.permute(axes).contiguous())) << text;
  }
}

TEST(Npy, ReadsEveryVersionAndSpelling) {
  const std::string data(8, '\0');
  for (int major : {1, 2, 3}) {
    EXPECT_EQ(parse_npy(file_of(dictionary_of("<f8", "(1,)"), data, major), "m").shape(), Shape{1});
  }
  const std::string other = "{\"shape\":(1,2),\"descr\":\"<f4\",\"fortran_order\":False}   ";
  EXPECT_EQ(parse_npy(file_of(other, data), "memory").shape(), (Shape{1, 2}));
}

TEST(Npy, ReadsTheDtypesThatNumPyReads) {
  const std::string data(8, '\0');
  const std::vector<std::pair<std::string, DType>> codes = {
      {"f2", DType::float16}, {"e", DType::float16}, {"f4", DType::float32}, {"f", DType::float32},
      {"f8", DType::float64}, {"d", DType::float64}, {"i8", DType::int64},   {"l", DType::int64},
      {"q", DType::int64},    {"n", DType::int64},   {"p", DType::int64},    {"b1", DType::boolean},
      {"?", DType::boolean}};
  for (const auto& [code, dtype] : codes) {
    const std::string shape = "(" + std::to_string(8 / size_of(dtype)) + ",)";
    for (const char* order : {"", "<", ">", "=", "|"}) {
      EXPECT_EQ(parse_npy(file_of(dictionary_of(order + code, shape), data), "m").dtype(), dtype)
          << order << code;
    }
  }
  for (const auto& [name, dtype] :
       std::vector<std::pair<std::string, DType>>{{"float16", DType::float16},
                                                  {"half", DType::float16},
                                                  {"float32", DType::float32},
                                                  {"single", DType::float32},
                                                  {"float", DType::float64},
                                                  {"float64", DType::float64},
                                                  {"int64", DType::int64},
                                                  {"int", DType::int64},
                                                  {"bool", DType::boolean}}) {
    const std::string shape = "(" + std::to_string(8 / size_of(dtype)) + ",)";
    EXPECT_EQ(parse_npy(file_of(dictionary_of(name, shape), data), "m").dtype(), dtype) << name;
    expect_refusal(file_of(dictionary_of("<" + name, shape), data), "it must be float16");
  }
}

TEST(Npy, ReadsTheSpellingsThatNumPyReads) {
  const std::string data(48, '\0');
  const std::string begin = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  for (const char* shape :
       {"(3, 4)", "(3,4,)", "(3L, 4L)", "(3L,4L,)", "( 3 L ,\t4 )", "(3,\n4)"}) {
    EXPECT_EQ(parse_npy(file_of(begin + shape + "}", data), "m").shape(), (Shape{3, 4})) << shape;
  }
  for (const char* text : {"{'descr':\t'<f4',\t'fortran_order':\tFalse,\t'shape':\t(3,\t4)}",
                           "\r\n{u'descr': u'<f4', u'fortran_order': False, u'shape': (3, 4)}\f"}) {
    EXPECT_EQ(parse_npy(file_of(text, data), "m").shape(), (Shape{3, 4})) << text;
  }
  // Python 3 wrote format 3.0, so its sizes aren't long; a 0 in front was never a decimal number.
  expect_refusal(file_of(begin + "(3L, 4L)}", data, 3), "expected ')'");
  expect_refusal(file_of(begin + "(03, 4)}", data), "begins with 0");
  expect_refusal(file_of(begin + "(3l, 4l)}", data), "expected ')'");
  EXPECT_EQ(parse_npy(file_of(begin + "(00, 4)}", ""), "m").shape(), (Shape{0, 4}));
  // libnpy once wrote a size with the locale's grouping; it is three sizes.
  expect_refusal(file_of(begin + "(2,621, 401)}", data), "shape (2, 621, 401)");
}

TEST(Npy, ReadsEitherOrderOfBytes) {
  for (DType dtype : {DType::float16, DType::float32, DType::float64, DType::int64}) {
    const Tensor kept = (Tensor::arange(24, DType::float64) - 11.5).view({2, 3, 4}).to(dtype);
    const std::size_t width = size_of(dtype);
    std::string data(static_cast<const char*>(kept.raw_data()), 24 * width);
    for (std::size_t n = 0; n < 24; ++n) {
      std::reverse(data.data() + n * width, data.data() + (n + 1) * width);
    }
    const std::string descr =
        std::string(dtype == DType::int64 ? ">i" : ">f") + std::to_string(width);
    EXPECT_TRUE(equal(parse_npy(file_of(dictionary_of(descr, "(2, 3, 4)"), data), "m"), kept));
    const Tensor turned =
        parse_npy(file_of(dictionary_of(descr, "(4, 3, 2)", "True"), data), "memory");
    EXPECT_TRUE(equal(turned, kept.permute({2, 1, 0}).contiguous()));
  }
}

TEST(Npy, AnyByteButZeroIsTrue) {
  std::string data;
  for (int byte = 0; byte < 256; ++byte) data += static_cast<char>(byte);
  const Tensor read = parse_npy(file_of(dictionary_of("|b1", "(256,)"), data), "memory");
  const auto* bytes = static_cast<const unsigned char*>(read.raw_data());
  for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(bytes[byte], byte == 0 ? 0 : 1) << byte;
  const Tensor foreign =
      Tensor::from_blob(static_cast<const void*>(data.data()), {256}, {}, DType::boolean);
  EXPECT_EQ(npy_bytes(foreign), npy_bytes(read));
}

TEST(Npy, RefusesOtherDtypes) {
  const std::string data(8, '\0');
  for (const char* descr : {"<i4",  "|u1",     "<u8", "<c8", "|S8", "<U2", "|O",   "<M8[s]",
                            "<f16", "",        "<",   ">i4", "!f8", "@f8", "<<f8", "<f8 ",
                            " <f8", "Float64", "F8",  "b",   "i",   "g",   "f8,",  "(1,)f8"}) {
    expect_refusal(file_of(dictionary_of(descr, "(1,)"), data), "it must be float16");
  }
  expect_refusal(
      file_of("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", data),
      "named fields");
}

TEST(Npy, RefusesWrongSizes) {
  const std::string data(8, '\0');
  expect_refusal(file_of(dictionary_of("<f4", "(3,)"), data), "takes 12 bytes but 8 follow");
  expect_refusal(file_of(dictionary_of("<f4", "(1000000000,)"), data), "truncated");
  expect_refusal(file_of(dictionary_of("<f4", "(4294967296, 4294967296)"), data), "larger than");
  expect_refusal(file_of(dictionary_of("<f4", "(0, 4294967296, 4294967296)"), ""), "larger than");
  expect_refusal(file_of(dictionary_of("<f4", "(99999999999999999999,)"), data), "63 bits");
  expect_refusal(file_of(dictionary_of("<f4", "(-2,)"), data), "0 or more");
  std::string axes;
  for (int n = 0; n < 65; ++n) axes += "1,";
  expect_refusal(file_of(dictionary_of("<f8", "(" + axes + ")"), data), "64 axes");
}

TEST(Npy, RefusesBrokenHeaders) {
  const std::string data(8, '\0');
  for (const char* text :
       {"", "{", "{}", "[]", "{'descr': '<f8'}", "{'descr: '<f8', }",
        "{'descr': '<f8', 'shape': (1,)}", "{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 1}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} {}",
        "{'descr': '<f8' 'fortran_order': False, 'shape': (1,)}"}) {
    EXPECT_NE(refusal(file_of(text, data)), "accepted") << text;
  }
  expect_refusal("", "no npy file");
  expect_refusal("PK\3\4 an npz file is a zip of npy files", "no npy file");
  expect_refusal(file_of(dictionary_of("<f8", "(1,)"), data, 4), "format 4.0");
  EXPECT_NE(refusal(file_of(dictionary_of(std::string(70000, 'x'), "(1,)"), data, 2)), "accepted");
}

TEST(Npy, EveryTruncationIsRefused) {
  const std::string bytes = npy_bytes(Tensor::arange(3, DType::float32));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(refusal(bytes.substr(0, size)), "accepted") << size;
  }
}

TEST(Npy, WhatFollowsTheArrayIsIgnored) {
  const Tensor first = tensor({{1.0, 2.0}, {3.0, 4.0}});
  for (const std::string& tail : {std::string(1, '\0'), npy_bytes(Tensor::arange(3))}) {
    EXPECT_TRUE(equal(parse_npy(npy_bytes(first) + tail, "f"), first));
  }
  const Tensor nothing = Tensor::zeros({0, 3});
  EXPECT_EQ(parse_npy(npy_bytes(nothing) + "tail", "f").shape(), nothing.shape());
}

TEST(Npy, FlippedBytesNeverCrash) {
  const std::string bytes = npy_bytes(Tensor::arange(3, DType::float32));
  for (std::size_t place = 0; place < bytes.size(); ++place) {
    for (int bit : {1, 4, 32, 128}) {
      std::string flipped = bytes;
      flipped[place] = static_cast<char>(flipped[place] ^ bit);
      refusal(flipped);
    }
  }
}

TEST(Npy, WhatIsReadIsUntouched) {
  const Tensor a = tensor({{1.0, 2.0}, {3.0, 4.0}});
  std::string turned = npy_bytes(a);
  turned.replace(turned.find("False"), 5, "True ");
  std::string big = npy_bytes(a);
  big[big.find('<')] = '>';
  for (const std::string& bytes : {npy_bytes(a), npy_bytes(gt(a, 2.0)), turned, big}) {
    EXPECT_EQ(parse_npy(bytes, "f").version(), 0U) << bytes;
  }
}

TEST(Npy, SavesAndLoadsFiles) {
  const std::string path =
      (std::filesystem::temp_directory_path() / "foveal-npy-test.npy").string();
  const Tensor kept = tensor({{1.5, 2.0}, {3.0, -4.0}});
  save_npy(path, kept);
  EXPECT_TRUE(equal(load_npy(path), kept));
  EXPECT_THROW(save_npy(path, kept.to(DType::bfloat16)), Error);
  EXPECT_THROW(save_npy(path, Tensor()), Error);
  EXPECT_TRUE(equal(load_npy(path), kept));
  std::remove(path.c_str());
  try {
    load_npy(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file);
  }
}

}  // namespace
}  // namespace foveal
