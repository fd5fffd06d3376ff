// einsum against its definition: a sum over all letters, one product at a time.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "foveal/operations.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;

/// Some of `letters`, in any order.
std::string draw_letters(Sampler& sampler, std::string letters) {
  std::string result;
  while (!letters.empty()) {
    const auto place =
        static_cast<std::size_t>(sampler.integer(0, static_cast<std::int64_t>(letters.size()) - 1));
    if (sampler.integer(0, 2) > 0) result += letters[place];
    letters.erase(place, 1);
  }
  return result;
}

using Sizes = std::map<char, std::int64_t>;

Shape shape_of(const std::string& letters, const Sizes& sizes) {
  Shape shape;
  for (const char letter : letters) shape.push_back(sizes.at(letter));
  return shape;
}

/// The sum of products over all letters.
Tensor by_definition(const std::string& a_letters, const std::string& b_letters,
                     const std::string& out_letters, const Tensor& a, const Tensor& b,
                     const Sizes& sizes) {
  std::string letters;
  for (const char letter : a_letters + b_letters) {
    if (letters.find(letter) == std::string::npos) letters += letter;
  }
  Tensor out = Tensor::zeros(shape_of(out_letters, sizes), a.dtype());
  for (const Shape& index : samples::indices(shape_of(letters, sizes))) {
    const auto at = [&](const std::string& some) {
      Shape place;
      for (const char letter : some) place.push_back(index[letters.find(letter)]);
      return place;
    };
    out.set(at(out_letters), out.at(at(out_letters)) + a.at(at(a_letters)) * b.at(at(b_letters)));
  }
  return out;
}

TEST(Einsum, IsTheSumOfProductsOverAllLetters) {
  Sampler sampler(31);
  for (int round = 0; round < 600; ++round) {
    const std::string a = draw_letters(sampler, "abcD"), b = draw_letters(sampler, "abcD");
    std::string both;
    for (const char letter : std::string("abcD")) {
      if ((a + b).find(letter) != std::string::npos) both += letter;
    }
    const std::string out = draw_letters(sampler, both);
    Sizes sizes;
    for (const char letter : both) {
      sizes[letter] = sampler.integer(0, 19) == 0 ? 0 : sampler.integer(1, 4);
    }
    const DType dtype = round % 3 == 0 ? DType::int64 : DType::float64;
    const Tensor left = sampler.tensor(shape_of(a, sizes), dtype);
    const Tensor right = sampler.tensor(shape_of(b, sizes), dtype);
    const std::string equation = a + (round % 2 == 0 ? "," : " , ") + b + "->" + out;
    const Tensor ours = einsum(equation, left, right);
    ASSERT_TRUE(equal(ours, by_definition(a, b, out, left, right, sizes)))
        << equation << " of " << to_string(left.shape()) << " and " << to_string(right.shape());
    ASSERT_TRUE(ours.is_contiguous());
  }
}

TEST(Einsum, WrongArgumentsThrow) {
  const Tensor a = Tensor::zeros({2, 3}), b = Tensor::zeros({3, 4});
  expect_error([&] { einsum("ab,bc", a, b); }, {"einsum", "'ab,bc'", "'ab,bc->ac'"});
  expect_error([&] { einsum("ab->ab", a, b); }, {"must have the form"});
  expect_error([&] { einsum("a->b,bc", a, b); }, {"must have the form"});
  expect_error([&] { einsum("ab,cd,ef->af", a, b); }, {"not ','"});
  expect_error([&] { einsum("aa,bc->ac", a, b); }, {"letter a stands twice in 'aa'"});
  expect_error([&] { einsum("ab,bc->aa", a, b); }, {"letter a stands twice in 'aa'"});
  expect_error([&] { einsum("ab,bc->ad", a, b); }, {"letter d", "neither a nor b"});
  expect_error([&] { einsum("...b,bc->...c", a, b); }, {"not '.'"});
  expect_error([&] { einsum("abc,bc->a", a, b); }, {"einsum: a has shape (2, 3)", "3 axes"});
  expect_error([&] { einsum("ab,ac->bc", a, b); }, {"letter a has size 2", "3 in b"});
  expect_error([&] { einsum("ab,bc->ac", a, b.to(DType::float64)); }, {"einsum", "float64"});
  expect_error([&] { einsum("ab,bc->ac", Tensor(), b); }, {"einsum: a is undefined"});
}

}  // namespace
}  // namespace foveal
