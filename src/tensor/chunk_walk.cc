#include "tensor/chunk_walk.h"

#include <algorithm>

#include "tensor/builder.h"
#include "tensor/chunks.h"
#include "tensor/copy.h"
#include "tensor/runs.h"

namespace foveal {
namespace {

/// Numbers on their way to or from a loop: as many as a chunk holds, of 8 bytes.
struct alignas(64) Room {
  std::array<char, kChunk * 8> bytes;
};

/// to[i * to_step] = from[i * from_step], elements of `Bits`.
template <class Bits>
void move_elements(const void* from, std::int64_t from_step, void* to, std::int64_t to_step,
                   std::int64_t count) {
  const auto* const source = static_cast<const Bits*>(from);
  auto* const target = static_cast<Bits*>(to);
  if (from_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) target[i * to_step] = source[i];
  } else if (to_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) target[i] = source[i * from_step];
  } else {
    for (std::int64_t i = 0; i < count; ++i) target[i * to_step] = source[i * from_step];
  }
}

using MoveElements = void (*)(const void*, std::int64_t, void*, std::int64_t, std::int64_t);

MoveElements mover_of(std::size_t size) {
  switch (size) {
    case 1:
      return move_elements<std::uint8_t>;
    case 2:
      return move_elements<std::uint16_t>;
    case 4:
      return move_elements<std::uint32_t>;
    default:
      return move_elements<std::uint64_t>;
  }
}

bool is_half_dtype(DType dtype) { return size_of(dtype) == 2; }

/// An operand's way to the loop.
class ChunkReader {
 public:
  ChunkReader() = default;
  ChunkReader(const Operand& operand, bool widens)
      : data_(static_cast<const char*>(operand.data)),
        size_(static_cast<std::int64_t>(size_of(operand.dtype))),
        move_(mover_of(size_of(operand.dtype))),
        normalises_(operand.may_hold_other_bytes) {
    if (widens && is_half_dtype(operand.dtype)) widen_ = conversion_kernels(operand.dtype).widen;
  }

  bool is_direct(std::int64_t step) const {
    return widen_ == nullptr && !normalises_ && (step == 0 || step == 1);
  }

  const void* at(std::int64_t start) const { return data_ + start * size_; }

  /// The numbers at start, start + step, ...: where they lie, or in `room`.
  const void* read(std::int64_t start, std::int64_t step, std::int64_t count, Room& room) const {
    if (is_direct(step)) return at(start);
    if (step == 0) count = 1;
    if (widen_ != nullptr) return widened(start, step, count, room);
    move_(at(start), step, room.bytes.data(), 1, count);
    if (normalises_) {
      for (std::int64_t i = 0; i < count; ++i) {
        room.bytes[static_cast<std::size_t>(i)] = room.bytes[static_cast<std::size_t>(i)] != 0;
      }
    }
    return room.bytes.data();
  }

 private:
  const void* widened(std::int64_t start, std::int64_t step, std::int64_t count, Room& room) const {
    std::array<std::uint16_t, kChunk> side_by_side;
    const auto* halves = static_cast<const std::uint16_t*>(at(start));
    if (step > 1 || step < 0) {
      move_(halves, step, side_by_side.data(), 1, count);
      halves = side_by_side.data();
    }
    widen_(halves, count, reinterpret_cast<float*>(room.bytes.data()));
    return room.bytes.data();
  }

  const char* data_ = nullptr;
  std::int64_t size_ = 1;
  MoveElements move_ = nullptr;
  bool normalises_ = false;
  void (*widen_)(const std::uint16_t* from, std::int64_t count, float* to) = nullptr;
};

/// The loop's way to what is written.
class ChunkWriter {
 public:
  ChunkWriter(const Operand& to, bool narrows)
      : data_(static_cast<char*>(const_cast<void*>(to.data))),
        size_(static_cast<std::int64_t>(size_of(to.dtype))),
        move_(mover_of(size_of(to.dtype))) {
    if (narrows && is_half_dtype(to.dtype)) narrow_ = conversion_kernels(to.dtype).narrow;
  }

  bool is_direct(std::int64_t step) const {
    return data_ != nullptr && narrow_ == nullptr && step == 1;
  }

  void* at(std::int64_t start) const { return data_ + start * size_; }

  /// From `room`, where they were written.
  void write(const Room& room, std::int64_t start, std::int64_t step, std::int64_t count) const {
    if (data_ == nullptr) return;
    if (narrow_ == nullptr) return move_(room.bytes.data(), 1, at(start), step, count);
    const auto* const numbers = reinterpret_cast<const float*>(room.bytes.data());
    if (step == 1) return narrow_(numbers, count, static_cast<std::uint16_t*>(at(start)));
    std::array<std::uint16_t, kChunk> halves;
    narrow_(numbers, count, halves.data());
    move_(halves.data(), 1, at(start), step, count);
  }

 private:
  char* data_;
  std::int64_t size_;
  MoveElements move_;
  void (*narrow_)(const float* from, std::int64_t count, std::uint16_t* to) = nullptr;
};

constexpr std::size_t kArrays = kMostOperands + 1;  // the first is written

class WalkedRun {
 public:
  WalkedRun(const ChunkWalk& walk, const Loop& loop)
      : count_(walk.from.size()), writer_(walk.to, walk.widens), loop_(loop) {
    for (std::size_t n = 0; n < count_; ++n) readers_[n] = ChunkReader(walk.from[n], walk.widens);
  }

  void operator()(const Run<kArrays>& run) const {
    if (is_direct(run)) {
      pass_on(run);
    } else {
      pass_through_rooms(run);
    }
  }

 private:
  bool is_direct(const Run<kArrays>& run) const {
    if (!writer_.is_direct(run.steps[0])) return false;
    for (std::size_t n = 0; n < count_; ++n) {
      if (!readers_[n].is_direct(run.steps[n + 1])) return false;
    }
    return true;
  }

  void pass_on(const Run<kArrays>& run) const {
    Chunk chunk{run.count, writer_.at(run.starts[0]), {}, {}};
    for (std::size_t n = 0; n < count_; ++n) {
      chunk.from[n] = readers_[n].at(run.starts[n + 1]);
      chunk.repeated[n] = run.steps[n + 1] == 0;
    }
    loop_(chunk);
  }

  /// From the room that they were widened into.
  void pass_numbers_on(const Chunk& chunk, Room& numbers, std::int64_t start,
                       std::int64_t step) const {
    auto* const all = reinterpret_cast<float*>(numbers.bytes.data());
    if (chunk.repeated[0]) std::fill_n(all, chunk.count, *all);
    writer_.write(numbers, start, step, chunk.count);
  }

  void pass_through_rooms(const Run<kArrays>& run) const {
    std::array<Room, kMostOperands> rooms;
    Room results;
    const bool in_place = writer_.is_direct(run.steps[0]);
    for (std::int64_t done = 0; done < run.count; done += kChunk) {
      const auto start = [&](std::size_t n) { return run.starts[n] + done * run.steps[n]; };
      Chunk chunk{std::min(kChunk, run.count - done), nullptr, {}, {}};
      chunk.to = in_place ? writer_.at(start(0)) : results.bytes.data();
      for (std::size_t n = 0; n < count_; ++n) {
        const std::int64_t step = run.steps[n + 1];
        chunk.from[n] = readers_[n].read(start(n + 1), step, chunk.count, rooms[n]);
        chunk.repeated[n] = step == 0;
      }
      if (!loop_) {
        pass_numbers_on(chunk, rooms[0], start(0), run.steps[0]);
        continue;
      }
      loop_(chunk);
      if (!in_place) writer_.write(results, start(0), run.steps[0], chunk.count);
    }
  }

  std::size_t count_;
  ChunkWriter writer_;
  std::array<ChunkReader, kMostOperands> readers_;
  const Loop& loop_;
};

}  // namespace

Operand operand_of(const Tensor& tensor, const Tensor& out, Tensor* kept) {
  *kept = tensor.shape() == out.shape() ? tensor : tensor.expand(out.shape());
  *kept = laid_out_like(out, *kept);
  return {std::as_const(*kept).raw_data(), tensor.dtype(), &kept->strides(),
          tensor.dtype() == DType::boolean && TensorBuilder::storage(*kept).may_change_unseen()};
}

Operand operand_to(Tensor& out) {
  return {TensorBuilder::written(out), out.dtype(), &out.strides()};
}

namespace {

bool is_row_major(const Shape& shape, const Strides& strides) {
  std::int64_t dense = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] != 1 && strides[axis] != dense) return false;
    dense *= shape[axis];
  }
  return true;
}

/// Whether each operand lies row by row, or is one number: then there is one run.
bool is_one_run(const ChunkWalk& walk) {
  const auto is_plain = [&walk](const Operand& operand) {
    return operand.strides == nullptr || is_row_major(walk.shape, *operand.strides);
  };
  return is_plain(walk.to) && std::all_of(walk.from.begin(), walk.from.end(), is_plain);
}

void walk_one_run(const ChunkWalk& walk, const WalkedRun& loop) {
  std::array<std::int64_t, kArrays> steps = {1, 0, 0, 0};
  for (std::size_t n = 0; n < walk.from.size(); ++n) {
    steps[n + 1] = walk.from[n].strides == nullptr ? 0 : 1;
  }
  for_ranges(element_count(walk.shape), 1, [&](std::int64_t first, std::int64_t last) {
    Run<kArrays> run{{}, steps, last - first};
    for (std::size_t n = 0; n < kArrays; ++n) run.starts[n] = first * steps[n];
    loop(run);
  });
}

}  // namespace

void walk_chunks(const ChunkWalk& walk, const Loop& loop) {
  const WalkedRun walked(walk, loop);
  if (is_one_run(walk)) return walk_one_run(walk, walked);
  const Strides repeated(walk.shape.size(), 0);
  const auto strides_of = [&repeated](const Operand& operand) {
    return operand.strides == nullptr ? repeated : *operand.strides;
  };
  std::array<Strides, kArrays> strides;
  strides[0] = strides_of(walk.to.data != nullptr ? walk.to : walk.from[0]);
  for (std::size_t n = 0; n < kMostOperands; ++n) {
    strides[n + 1] = n < walk.from.size() ? strides_of(walk.from[n]) : repeated;
  }
  for_runs<kArrays>(walk.shape, strides, walked);
}

}  // namespace foveal
