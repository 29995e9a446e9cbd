// Transitions of the replay buffer to a panel of the batch.
#pragma once

#include "vec.hpp"

namespace {

// Column c of the panel becomes row index[c] of `rows`; `features` of a row are taken, of
// which whole vectors can be read.
void gather(const float* rows, std::ptrdiff_t row_size, const std::uint32_t* index, int features,
            float* panel, int vectors) {
  const int columns = vectors * kWidth;
  for (int c = 0; c < columns; c += kWidth)
    for (int f = 0; f < features; f += kWidth) {
      Vec square[kWidth];
#pragma GCC unroll 16
      for (int r = 0; r < kWidth; ++r) square[r] = load(rows + index[c + r] * row_size + f);
      transpose(square);
#pragma GCC unroll 16
      for (int r = 0; r < kWidth; ++r)
        if (f + r < features) store(panel + (f + r) * columns + c, square[r]);
    }
}

}  // namespace
