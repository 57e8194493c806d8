#include "cuda/outputs.h"

#include <algorithm>

namespace perfmodel::cuda {

void Output::lend(cudaStream_t consumer) {
    ready.hold(consumer);
    // Other streams may have been destroyed by the time that the memory comes back: no event can be asked of
    // them.
    if (consumer == cudaStreamLegacy)
        by_default_stream_ = true;
    else
        unknown_ = true;
}

std::unique_ptr<Output> Outputs::find(std::size_t bytes, bool any) {
    const auto fits = [&](const std::unique_ptr<Output>& output) {
        return output->bytes() >= bytes && output->bytes() / 2 <= bytes && (any || !output->unknown_);
    };
    const auto found = std::find_if(free_.begin(), free_.end(), fits);
    if (found == free_.end()) return nullptr;
    std::unique_ptr<Output> output = std::move(*found);
    free_.erase(found);
    return output;
}

std::unique_ptr<Output> Outputs::make(std::size_t bytes) {
    try {
        return std::make_unique<Output>(bytes);
    } catch (const CudaError& error) {
        if (error.code() != cudaErrorMemoryAllocation || free_.empty()) throw;
    }
    free_.clear();
    return std::make_unique<Output>(bytes);
}

std::shared_ptr<Output> Outputs::take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Output> output = find(bytes, false);
    if (output == nullptr) output = find(bytes, true);
    if (output == nullptr) output = make(std::max<std::size_t>(bytes, 1));
    if (output->unknown_) {
        PERFMODEL_CUDA_CALL(cudaDeviceSynchronize());
        for (const std::unique_ptr<Output>& other : free_) other->unknown_ = false;
    }
    if (output->by_default_stream_) output->used_.hold(stream_.get());
    output->unknown_ = output->by_default_stream_ = false;
    return {output.release(),
            [self = shared_from_this()](Output* back) { self->give_back(std::unique_ptr<Output>(back)); }};
}

void Outputs::give_back(std::unique_ptr<Output> output) noexcept {
    try {
        const DeviceGuard guard(device_);
        if (output->by_default_stream_) output->used_.record(cudaStreamLegacy);
        const std::lock_guard lock(mutex_);
        if (free_.size() < kMostFree) free_.push_back(std::move(output));
    } catch (...) {
        output.reset();  // the memory is not used again: freeing it waits for its readers
    }
}

}  // namespace perfmodel::cuda
