// Small operations over borrowed buffers: a sum, STREAM triad and copy, and the fused multiply-add rate.
#pragma once

#include <cstddef>

#include "common/buffer.h"

namespace perfmodel::cpu {

// Sum of all elements in double precision. float32 goes through the vector kernels where the innermost
// axis is dense; float64 and every strided layout are summed element by element. Throws ElementTypeError for
// other types.
double sum(const BufferView& view);

// out = a + scale * b for contiguous float32 buffers of one shape; `out` must be writable.
void triad(const BufferView& out, const BufferView& a, const BufferView& b, float scale);

// Copies the bytes of one contiguous buffer to another of the same type and shape.
void copy(const BufferView& out, const BufferView& in);

struct FmaRate {
    double flops;    // operations done, 2 per multiply-add
    double seconds;  // by a monotonic clock
};

// Runs fused multiply-adds on one core for about `seconds` (0 < seconds <= 60).
FmaRate fma_rate(double seconds);

}  // namespace perfmodel::cpu
