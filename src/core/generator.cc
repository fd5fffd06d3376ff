#include "foveal/generator.h"

#include <cmath>
#include <optional>
#include <random>
#include <utility>

#include "foveal/error.h"

namespace foveal {
namespace {

constexpr double kTwoPi = 6.283185307179586;

void check_count(std::int64_t count) {
  if (count < 0) {
    throw Error("Generator: count is " + std::to_string(count) + ": it must be 0 or more");
  }
}

/// Box-Muller on 16 uniform values in place: entry j gives the radius, entry j + 8 the angle.
/// Adding 0 turns a negative zero into a positive one, as adding the mean does in PyTorch.
template <class T>
void make_normal_16(T* values) {
  for (int j = 0; j < 8; ++j) {
    const T radius = std::sqrt(T{-2} * std::log(T{1} - values[j]));
    const T angle = static_cast<T>(kTwoPi * static_cast<double>(values[j + 8]));
    values[j] = radius * std::cos(angle) + T{0};
    values[j + 8] = radius * std::sin(angle) + T{0};
  }
}

template <class T>
void fill_normal_of(Generator& generator, T* out, std::int64_t count) {
  check_count(count);
  if (count < 16) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(generator.next_normal());
    return;
  }
  generator.fill_uniform(out, count);
  for (std::int64_t i = 0; i + 16 <= count; i += 16) make_normal_16(out + i);
  if (count % 16 == 0) return;
  T* const last = out + count - 16;
  generator.fill_uniform(last, 16);
  make_normal_16(last);
}

}  // namespace

struct Generator::State {
  std::uint64_t initial_seed = 0;
  std::mt19937 engine;
  std::optional<double> cached_normal;
};

Generator::Generator(std::uint64_t seed) : state_(std::make_shared<State>()) { this->seed(seed); }

void Generator::seed(std::uint64_t seed) {
  state_->initial_seed = seed;
  state_->engine.seed(static_cast<std::uint32_t>(seed));
  state_->cached_normal.reset();
}

std::uint64_t Generator::initial_seed() const { return state_->initial_seed; }

Generator Generator::clone() const {
  Generator copy(0);
  copy.continue_from(*this);
  return copy;
}

void Generator::continue_from(const Generator& other) { *state_ = *other.state_; }

std::uint32_t Generator::next_u32() { return static_cast<std::uint32_t>(state_->engine()); }

std::uint64_t Generator::next_u64() {
  const std::uint64_t upper = next_u32();
  return upper << 32 | next_u32();
}

float Generator::next_float() {
  return static_cast<float>(next_u32() & ((1U << 24) - 1)) * 0x1p-24F;
}

double Generator::next_double() {
  return static_cast<double>(next_u64() & ((std::uint64_t{1} << 53) - 1)) * 0x1p-53;
}

double Generator::next_normal() {
  const std::optional<double> cached = std::exchange(state_->cached_normal, std::nullopt);
  if (cached) return *cached;
  const double angle = kTwoPi * next_double();
  const double radius = std::sqrt(-2 * std::log1p(-next_double()));
  state_->cached_normal = radius * std::sin(angle);
  return radius * std::cos(angle);
}

void Generator::fill_uniform(float* out, std::int64_t count) {
  check_count(count);
  for (std::int64_t i = 0; i < count; ++i) out[i] = next_float();
}

void Generator::fill_uniform(double* out, std::int64_t count) {
  check_count(count);
  for (std::int64_t i = 0; i < count; ++i) out[i] = next_double();
}

void Generator::fill_normal(float* out, std::int64_t count) { fill_normal_of(*this, out, count); }

void Generator::fill_normal(double* out, std::int64_t count) { fill_normal_of(*this, out, count); }

}  // namespace foveal
