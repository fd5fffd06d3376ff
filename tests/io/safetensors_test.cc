#include "foveal/safetensors.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>

#include "foveal/error.h"
#include "io/file.h"
#include "io/safetensors_header.h"

namespace foveal {
namespace {

std::string file_of(const std::string& header, const std::string& data = "") {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xFF));
  return bytes + header + data;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

std::string refusal(const std::string& bytes) {
  try {
    parse_safetensors(bytes, "f.safetensors");
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_EQ(message.rfind("safetensors file 'f.safetensors': ", 0), 0U) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 500U);
    return message;
  }
  return "accepted";
}

/// The bytes of a tensor's elements in row-major order.
std::string bytes_of(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  const std::size_t size = static_cast<std::size_t>(dense.element_count()) * size_of(dense.dtype());
  return size == 0 ? "" : std::string(static_cast<const char*>(dense.raw_data()), size);
}

StateDict one_of_each() {
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor grid = tensor({{1.5, -0.0, infinity}, {-2.25, 1e-30, -infinity}});
  StateDict tensors = {{"bool", tensor({true, false, true})},
                       {"transposed", grid.transpose(0, 1)},
                       {"every other", grid.slice(1, 0, 3, 2)},
                       {"expanded", tensor({1.0, 2.0}).expand({3, 2})},
                       {"scalar", Tensor::full({}, 7, DType::int64)},
                       {"empty", Tensor::zeros({0, 4}, DType::float64)}};
  for (DType dtype : {DType::float64, DType::bfloat16, DType::float16}) {
    tensors.emplace_back("naïve/" + to_string(dtype), grid.to(dtype));
  }
  return tensors;
}

TEST(SafetensorsTest, ReadsBackWhatItWrote) {
  const StateDict tensors = one_of_each();
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"a\"b\n", ""}};
  const SafetensorsFile file = parse_safetensors(safetensors_bytes(tensors, metadata), "memory");
  EXPECT_EQ(file.metadata, metadata);
  ASSERT_EQ(file.tensors.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor* const back = find(file.tensors, name);
    ASSERT_NE(back, nullptr) << name;
    EXPECT_EQ(back->shape(), tensor.shape()) << name;
    EXPECT_EQ(back->dtype(), tensor.dtype()) << name;
    EXPECT_EQ(bytes_of(*back), bytes_of(tensor)) << name;
    EXPECT_EQ(back->version(), 0U) << name << ": no pointer was handed out";
  }
}

TEST(SafetensorsTest, EveryTensorIsAlignedInTheFile) {
  const std::string bytes = safetensors_bytes(one_of_each(), {{"odd", "length"}});
  const SafetensorsHeader header = parse_safetensors_header(bytes, "memory");
  EXPECT_EQ(header.data_start % 8, 0U);
  for (const SafetensorsEntry& tensor : header.entries) {
    EXPECT_EQ(tensor.begin % size_of(tensor.dtype.value()), 0U) << tensor.name;
  }
}

TEST(SafetensorsTest, WritesTheFormatByteForByte) {
  const std::string data("\0\0\200\77\0\0\0\100", 8);
  const std::string header = R"({"w":)" + entry("F32", "[2]", "[0,8]") + "}";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(safetensors_bytes({{"w", tensor({1.0, 2.0})}}, {}), file_of(padded, data));
}

TEST(SafetensorsTest, ReadsInTheOrderOfTheData) {
  const std::string header = R"({"late":)" + entry("F32", "[1]", "[8,12]") + R"(,"none":)" +
                             entry("F32", "[3,0]", "[8,8]") + R"(,"early":)" +
                             entry("I64", "[]", "[0,8]") + R"(,"__metadata__":{}} )";
  const SafetensorsFile file = parse_safetensors(file_of(header, std::string(12, '\1')), "memory");
  ASSERT_EQ(file.tensors.size(), 3U);
  EXPECT_EQ(file.tensors[0].first, "early");
  EXPECT_EQ(file.tensors[0].second.item(), 0x0101010101010101);
  EXPECT_EQ(file.tensors[1].second.shape(), (Shape{3, 0}));
  EXPECT_EQ(file.tensors[2].first, "late");
}

TEST(SafetensorsTest, TensorsOfOtherDtypesLeaveTheRestReadable) {
  struct Other {
    const char* dtype;
    std::size_t bits;
  };
  for (const Other& other : {Other{"U8", 8},
                             {"I8", 8},
                             {"F8_E5M2", 8},
                             {"F8_E4M3", 8},
                             {"F8_E8M0", 8},
                             {"I16", 16},
                             {"U16", 16},
                             {"I32", 32},
                             {"U32", 32},
                             {"U64", 64},
                             {"C64", 64},
                             {"F4", 4},
                             {"F6_E2M3", 6},
                             {"F6_E3M2", 6},
                             {"Q9", 24},
                             {"f32", 32},
                             {"", 8}}) {
    const std::size_t end = 4 + 4 * other.bits / 8;
    const std::string header =
        R"({"x":)" + entry("F32", "[1]", "[0,4]") + R"(,"other":)" +
        entry(other.dtype, "[4]", "[4," + std::to_string(end) + "]") + R"(,"y":)" +
        entry("F32", "[1]", "[" + std::to_string(end) + "," + std::to_string(end + 4) + "]") +
        R"(,"__metadata__":null})";
    std::string data(end + 4, '\0');
    data.replace(end, 4, "\0\0\200\77", 4);
    const SafetensorsFile file = parse_safetensors(file_of(header, data), "memory");
    ASSERT_EQ(file.tensors.size(), 2U) << other.dtype;
    EXPECT_EQ(find(file.tensors, "x")->item(), 0);
    EXPECT_EQ(find(file.tensors, "y")->item(), 1);
    EXPECT_EQ(file.unsupported, (std::map<std::string, std::string>{{"other", other.dtype}}));
    EXPECT_TRUE(file.metadata.empty());
  }
}

TEST(SafetensorsTest, AnyByteButZeroIsTrue) {
  std::string data;
  for (int byte = 0; byte < 256; ++byte) data += static_cast<char>(byte);
  const std::string header = R"({"w":)" + entry("BOOL", "[256]", "[0,256]") + "}";
  const SafetensorsFile file = parse_safetensors(file_of(header, data), "memory");
  const auto* bytes = static_cast<const unsigned char*>(find(file.tensors, "w")->raw_data());
  for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(bytes[byte], byte == 0 ? 0 : 1) << byte;
  const Tensor foreign =
      Tensor::from_blob(static_cast<const void*>(data.data()), {256}, {}, DType::boolean);
  EXPECT_EQ(safetensors_bytes({{"w", foreign}}, {}), safetensors_bytes(file.tensors, {}));
}

TEST(SafetensorsTest, EveryTruncationIsRefused) {
  const std::string bytes = safetensors_bytes(one_of_each(), {});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(refusal(bytes.substr(0, size)), "accepted") << size;
  }
  EXPECT_NE(refusal(bytes + '\0').find("after the last tensor"), std::string::npos);
}

TEST(SafetensorsTest, FlippedBytesNeverCrash) {
  const std::string bytes = safetensors_bytes(one_of_each(), {{"key", "value"}});
  for (std::size_t place = 0; place < bytes.size(); ++place) {
    for (int bit : {1, 4, 32, 128}) {
      std::string flipped = bytes;
      flipped[place] = static_cast<char>(flipped[place] ^ bit);
      refusal(flipped);
    }
  }
}

struct Hostile {
  const char* rule;
  std::string bytes;
};

std::vector<Hostile> hostile_files() {
  const std::string four(4, '\0');
  const std::string eight(8, '\0');
  const auto with = [](const std::string& tensor, const std::string& data = "") {
    return file_of(R"({"w":)" + tensor + "}", data);
  };
  std::string ones = "[1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  ones += "]";
  const std::string fine = entry("F32", "[1]", "[0,4]");
  return {
      {"truncated", "abc"},
      {"truncated", file_of("{}").substr(0, 9)},
      {"at most 100000000", std::string("\1\0\0\0\0\0\0\200{}", 10)},
      {"begin with '{'", file_of("")},
      {"begin with '{'", file_of(" {}")},
      {"begin with '{'", file_of("[]")},
      {"byte 6", file_of("{\"a\":")},
      {"valid JSON", file_of("{} x")},
      {"valid JSON", file_of("{'a':1}")},
      {"valid JSON in UTF-8", file_of("{\"\xff\":{}}")},
      {"valid JSON", file_of("{\"\\ud800\":{}}")},
      {"zero byte", file_of(std::string("{}\0{", 4))},
      {"must be an object", file_of(R"({"w":1})")},
      {"must be an object", file_of(R"({"w":[]})")},
      {"must be an object", file_of(R"({"w":null})")},
      {"must map text to text", file_of(R"({"__metadata__":{"a":1}})")},
      {"must map text to text", file_of(R"({"__metadata__":{"a":{}}})")},
      {"must map text to text", file_of(R"({"__metadata__":{"a":["b"]}})")},
      {"twice", file_of(R"({"__metadata__":{"a":"1","a":"2"}})")},
      {"twice", file_of(R"({"__metadata__":{},"__metadata__":{}})")},
      {"twice", file_of(R"({"w":)" + fine + R"(,"w":)" + fine + "}", four)},
      {"twice", with(R"({"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]})", four)},
      {"unknown key", with(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1})", four)},
      {"must have dtype", with(R"({"dtype":"F32","shape":[1]})")},
      {"must have dtype", with("{}")},
      {"takes 8", with(entry("I32", "[2]", "[0,4]"), four)},
      {"no whole bytes", with(entry("F4", "[7]", "[0,4]"), four)},
      {"past the end", with(entry("Q9", "[1]", "[0,8]"), four)},
      {"leave a hole", with(entry("Q9", "[1]", "[4,8]"), eight)},
      {"after the last tensor", with(entry("Q9", "[1]", "[0,4]"), eight)},
      {"has null", with(R"({"dtype":null,"shape":[1],"data_offsets":[0,4]})", four)},
      {"must map text to text", file_of(R"({"__metadata__":{"a":null}})")},
      {"twice", file_of(R"({"__metadata__":null,"__metadata__":{}})")},
      {"dtype has a number", with(R"({"dtype":1,"shape":[1],"data_offsets":[0,4]})", four)},
      {"dtype has a list", with(R"({"dtype":["F32"],"shape":[1],"data_offsets":[0,4]})", four)},
      {"shape has text", with(entry("F32", "\"1\"", "[0,4]"), four)},
      {"shape has text", with(entry("F32", "[\"1\"]", "[0,4]"), four)},
      {"shape has a number", with(entry("F32", "1", "[0,4]"), four)},
      {"shape has a list", with(entry("F32", "[[1]]", "[0,4]"), four)},
      {"shape has an object", with(entry("F32", "{}", "[0,4]"), four)},
      {"negative number -1", with(entry("F32", "[-1]", "[0,4]"), four)},
      {"no whole number", with(entry("F32", "[1.0]", "[0,4]"), four)},
      {"no whole number", with(entry("F32", "[1e0]", "[0,4]"), four)},
      {"over 63 bits", with(entry("F32", "[9223372036854775808]", "[0,4]"), four)},
      {"no whole number", with(entry("F32", "[18446744073709551617]", "[0,4]"), four)},
      {"larger than memory", with(entry("F32", "[4611686018427387904,4]", "[0,0]"))},
      {"larger than memory", with(entry("F64", "[2305843009213693952]", "[0,0]"))},
      {"takes 4000000000", with(entry("F32", "[1000,1000,1000]", "[0,4]"), four)},
      {"64 axes", with(entry("F32", ones, "[0,4]"), four)},
      {"must hold two numbers", with(entry("F32", "[1]", "[0]"), four)},
      {"must hold two numbers", with(entry("F32", "[1]", "[0,4,8]"), four)},
      {"negative number", with(entry("F32", "[1]", "[-4,0]"), four)},
      {"end is before", with(entry("F32", "[1]", "[4,0]"), four)},
      {"past the end", with(entry("F32", "[1]", "[0,4]"))},
      {"past the end", with(entry("F32", "[1]", "[18446744073709551612,18446744073709551615]"))},
      {"takes 4", with(entry("F32", "[1]", "[0,8]"), eight)},
      {"takes 0", with(entry("F32", "[0]", "[0,4]"), four)},
      {"leave a hole", with(entry("F32", "[1]", "[4,8]"), eight)},
      {"after the last tensor", with(fine, eight)},
      {"after the last tensor", file_of("{}", four)},
      {"overlap", file_of(R"({"a":)" + fine + R"(,"b":)" + fine + "}", four)},
      {"overlap",
       file_of(R"({"a":)" + fine + R"(,"b":)" + entry("F32", "[1]", "[2,6]") + "}", four + "ab")},
      {"must be an object", file_of("{\"w\":" + std::string(1000000, '['))},
      {"has an object", file_of("{\"w\":{\"shape\":" + std::string(100000, '{'))},
  };
}

TEST(SafetensorsTest, HostileFilesAreRefusedByRule) {
  for (const Hostile& hostile : hostile_files()) {
    const std::string message = refusal(hostile.bytes);
    EXPECT_NE(message.find(hostile.rule), std::string::npos) << hostile.rule << "\n" << message;
  }
}

TEST(SafetensorsTest, LongNamesAreCutInErrors) {
  const std::string name(100000, 'n');
  EXPECT_NE(refusal(file_of("{\"" + name + "\":1}")).find("nnn...\""), std::string::npos);
}

TEST(SafetensorsTest, RefusesToWriteWhatCouldNotBeRead) {
  const Tensor one = Tensor::ones({1});
  EXPECT_THROW(safetensors_bytes({{"__metadata__", one}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"a", one}, {"a", one}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"a", Tensor()}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"\xff", one}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"a", one}}, {{"k", "\xff"}}), Error);
}

TEST(SafetensorsTest, FailedSaveKeepsTheOldFile) {
  const std::string path =
      (std::filesystem::path(testing::TempDir()) / "foveal_failed_save").string();
  save_safetensors(path, {{"a", Tensor::ones({3})}});
  const std::string before = read_file(path);
  EXPECT_THROW(save_safetensors(path, {{"a", Tensor()}}), Error);
  EXPECT_EQ(read_file(path), before);
  EXPECT_EQ(load_safetensors(path).tensors.at(0).second.to_vector(), std::vector<double>(3, 1.0));
  std::filesystem::remove(path);
  try {
    load_safetensors(path);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file);
  }
}

}  // namespace
}  // namespace foveal
