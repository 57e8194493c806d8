#include <algorithm>

#include "cuda/check.h"
#include "cuda/preprocess_kernel.h"
#include "preprocess/finish.h"

namespace perfmodel::cuda {

namespace {

using preprocess::BatchTask;
using preprocess::Finish;
using preprocess::kMostSteps;
using preprocess::kNarrowColumns;
using preprocess::kThreads;
using preprocess::kWideColumns;
using preprocess::Tile;

// Blocks that a multiprocessor shall have registers for: as many as need no local memory.
template <int kColumns>
constexpr int kBlocksPerSm = kColumns == kWideColumns ? 3 : 4;

// All threads of a block return the same ticket.
__device__ std::uint32_t take_ticket(const BatchTask& batch, std::uint32_t& ticket) {
    __syncthreads();  // shared memory of the piece before is not read any more
    if (threadIdx.x == 0) ticket = atomicAdd(batch.next, 1U);
    __syncthreads();
    return ticket;
}

template <int kColumns>
__device__ __forceinline__ void resize(const Tile<kColumns>& tile, typename Tile<kColumns>::Words& words) {
    const auto thread = static_cast<int>(threadIdx.x);
    typename Tile<kColumns>::Sums sums;
    if (thread == 0) tile.find_place();
    tile.clear(sums);
    __syncthreads();
    if (tile.image.planes != 0) tile.stage(thread);
    const int end = tile.place().end_row;
    for (int row = tile.place().first_row; row < end; row += tile.image.chunk) {
        if (tile.image.staged != 0) tile.load(thread, row);
        __syncthreads();
        if (tile.image.staged != 0 && tile.greys()) {
            tile.make_grey(thread, row);
            __syncthreads();
        }
        tile.across(thread, row);
        __syncthreads();
        tile.down(thread, row, sums);
        // Rows in place go to where this step still reads; staged ones pass a barrier first.
        if (tile.image.staged == 0) __syncthreads();
    }
    tile.round(sums, words);
}

// The part before a change of contrast is done: its bytes are there for all blocks, then its mark.
__device__ __forceinline__ void announce(const BatchTask& batch, int image) {
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) atomicAdd(batch.finished + image, 1U);
}

// Waits until all tiles of the image announced. Their blocks run already: they took their tickets earlier.
__device__ __forceinline__ void await(const BatchTask& batch, int image) {
    if (threadIdx.x == 0) {
        const volatile std::uint32_t* done = batch.finished + image;
        while (*done < static_cast<std::uint32_t>(batch.tiles)) {
#if __CUDA_ARCH__ >= 700
            __nanosleep(100);
#endif
        }
        __threadfence();
    }
    __syncthreads();
}

template <int kColumns>
__global__ void __launch_bounds__(kThreads, kBlocksPerSm<kColumns>) preprocess_kernel(const BatchTask batch) {
    extern __shared__ uint4 memory[];
    __shared__ std::uint32_t shared_ticket;
    const auto tiles = static_cast<std::uint32_t>(batch.tiles);
    const auto thread = static_cast<int>(threadIdx.x);
    for (;;) {
        const std::uint32_t ticket = take_ticket(batch, shared_ticket);
        if (ticket >= batch.tickets) return;
        const std::uint32_t entry = batch.order[ticket / tiles];
        const auto number = static_cast<int>(entry / 2);
        const Tile<kColumns> tile = {batch, batch.images[number], reinterpret_cast<std::uint8_t*>(memory),
                                     number, static_cast<int>(ticket % tiles)};
        const Finish<kColumns> finish{tile};
        const int pause = tile.image.pause;
        typename Tile<kColumns>::Words words;
        const bool resumed = entry % 2 != 0;
        if (resumed) {
            await(batch, number);
            finish.take_up(thread, words);
        } else {
            resize(tile, words);
        }
        finish.recolour(words, resumed ? pause : 0, resumed ? kMostSteps : pause,
                        resumed ? finish.mean() : 0);
        if (!resumed && pause < kMostSteps) {
            finish.keep(thread, words);
            announce(batch, number);
        } else {
            finish.write(thread, words);
        }
    }
}

using Kernel = void (*)(BatchTask);

Kernel find_kernel(int columns) {
    return columns == kWideColumns ? preprocess_kernel<kWideColumns> : preprocess_kernel<kNarrowColumns>;
}

}  // namespace

int resident_blocks(int columns, std::size_t shared_bytes) {
    int device = 0;
    int sm = 0;
    int per_sm = 0;
    PERFMODEL_CUDA_CALL(cudaGetDevice(&device));
    PERFMODEL_CUDA_CALL(cudaDeviceGetAttribute(&sm, cudaDevAttrMultiProcessorCount, device));
    PERFMODEL_CUDA_CALL(cudaOccupancyMaxActiveBlocksPerMultiprocessor(
        &per_sm, reinterpret_cast<const void*>(find_kernel(columns)), kThreads, shared_bytes));
    return std::max(1, sm * per_sm);
}

void launch_preprocess(const BatchTask& task, int columns, std::size_t shared_bytes, int blocks,
                       cudaStream_t stream) {
    if (task.tickets == 0) return;
    const auto most = static_cast<std::uint32_t>(std::max(blocks, 1));
    find_kernel(columns)<<<std::min(task.tickets, most), kThreads, shared_bytes, stream>>>(task);
    PERFMODEL_CUDA_CALL(cudaGetLastError());
}

}  // namespace perfmodel::cuda
