// The preprocessing kernel: one launch for a whole batch.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "preprocess/batch.h"

namespace perfmodel::cuda {

// Blocks of the kernel that the current GPU runs at a time.
int resident_blocks(int columns, std::size_t shared_bytes);

// Launches it; all addresses of `task` are in device memory, its counters (next, finished, totals) are zero.
// Blocks take pieces of work in order until none is left, so that `blocks` may be any number from 1 on.
void launch_preprocess(const preprocess::BatchTask& task, int columns, std::size_t shared_bytes, int blocks,
                       cudaStream_t stream);

}  // namespace perfmodel::cuda
