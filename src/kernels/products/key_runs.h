#pragma once
// Runs of keys that one product takes one after another.

#include <stdint.h>

namespace foveal {

/// Rows and columns of keys that follow one another. N is what a lane holds of them: a number, or a
/// pair.
template <class N>
struct KeyRun {
  const N* rows = nullptr;
  const N* columns = nullptr;
  int64_t count = 0;     ///< of rows
  int first_vector = 0;  ///< of the columns: the lanes before it see none of the keys
};

template <class N>
struct KeyRuns {
  int64_t row_step = 0, column_stride = 0;  ///< from one key to the next
  int count = 0;
  KeyRun<N> run[16];

  /// Joined with the run before where it goes on.
  void add(const KeyRun<N>& next) {
    KeyRun<N>* const before = count == 0 ? nullptr : &run[count - 1];
    if (before != nullptr && before->first_vector == next.first_vector &&
        before->columns + before->count * column_stride == next.columns &&
        before->rows + before->count * row_step == next.rows) {
      before->count += next.count;
    } else {
      run[count++] = next;
    }
  }
};

}  // namespace foveal
