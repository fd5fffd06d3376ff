#pragma once
// Random numbers as PyTorch draws them on a CPU, bit for bit.

#include <cstdint>
#include <memory>

#pragma GCC visibility push(default)
namespace foveal {

/// PyTorch's CPU generator: mt19937 with its standard initialisation by the low 32 bits of the
/// seed. A Generator is a handle: copies draw from the same stream, so a module that keeps one
/// continues the stream it was made from. Not safe for use from several threads at once.
///
/// The rules below were checked bit for bit against PyTorch (with its default CPU capability).
class Generator {
 public:
  explicit Generator(std::uint64_t seed);
  /// Starts the stream again, and forgets the cached normal value.
  void seed(std::uint64_t seed);
  std::uint64_t initial_seed() const;
  /// A stream of its own that goes on from where this one is.
  Generator clone() const;
  /// This stream, with all its handles, goes on from where `other` is.
  void continue_from(const Generator& other);

  std::uint32_t next_u32();
  /// Two draws, the first one in the upper half.
  std::uint64_t next_u64();
  /// 24 random bits times 2^-24.
  float next_float();
  /// The low 53 bits of next_u64() times 2^-53.
  double next_double();
  /// One normal value by Box-Muller in float64; every second one comes from the pair before, also
  /// across calls and past fill_normal, until seed().
  double next_normal();

  /// `count` uniform values in [0, 1).
  void fill_uniform(float* out, std::int64_t count);
  void fill_uniform(double* out, std::int64_t count);
  /// `count` normal values: one at a time below 16, by groups of 16 from there on.
  void fill_normal(float* out, std::int64_t count);
  void fill_normal(double* out, std::int64_t count);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace foveal
#pragma GCC visibility pop
