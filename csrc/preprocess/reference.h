// The kernel's steps on the host, one thread of a block after the other: what the GPU has to give, bit by
// bit.
#pragma once

#include <cstdint>

#include "preprocess/batch.h"

namespace perfmodel::preprocess {

// Makes the batch from its pixels, whose address must be a multiple of 16, into `out`.
void run_on_host(const Batch& batch, const std::uint8_t* pixels, std::size_t pixel_bytes, std::byte* out);

}  // namespace perfmodel::preprocess
