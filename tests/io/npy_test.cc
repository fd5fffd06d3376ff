// .npy files: what NumPy writes is read, what is written is the format's, and hostile bytes are
// refused with one clear line.

#include "io/npy.h"

#include <gtest/gtest.h>

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

TEST(Npy, RefusesOtherDtypes) {
  const std::string data(8, '\0');
  expect_refusal(file_of(dictionary_of(">f8", "(1,)"), data), "big-endian");
  expect_refusal(file_of(dictionary_of(">f8", "(1,)"), data), "astype('<f8')");
  for (const char* descr : {"<i4", "|u1", "<u8", "<c8", "|S8", "<U2", "|O", "<M8[s]", "<f16", "",
                            ">i4", "f8", "<f8 "}) {
    expect_refusal(file_of(dictionary_of(descr, "(1,)"), data), "it must be float16");
  }
  expect_refusal(
      file_of("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", data),
      "named fields");
  expect_refusal(file_of(dictionary_of("|b1", "(2,)"), std::string("\1\2", 2)),
                 "element 1 of this bool array is 2");
}

TEST(Npy, RefusesWrongSizes) {
  const std::string data(8, '\0');
  expect_refusal(file_of(dictionary_of("<f4", "(3,)"), data), "takes 12 bytes but 8 follow");
  expect_refusal(file_of(dictionary_of("<f4", "(1,)"), data), "takes 4 bytes but 8 follow");
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

TEST(Npy, EveryTruncationAndEveryTailIsRefused) {
  const std::string bytes = npy_bytes(Tensor::arange(3, DType::float32));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(refusal(bytes.substr(0, size)), "accepted") << size;
  }
  EXPECT_NE(refusal(bytes + '\0'), "accepted");
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
