// Owners of CUDA resources: what is taken is given back, also when an exception passes.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>

#include "cuda/check.h"

namespace perfmodel::cuda {

class Stream {
  public:
    Stream() { PERFMODEL_CUDA_CALL(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
    ~Stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    cudaStream_t get() const { return stream_; }
    void synchronize() const { PERFMODEL_CUDA_CALL(cudaStreamSynchronize(stream_)); }

  private:
    cudaStream_t stream_ = nullptr;
};

class Event {
  public:
    Event() { PERFMODEL_CUDA_CALL(cudaEventCreate(&event_)); }
    ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void record(const Stream& stream) const { PERFMODEL_CUDA_CALL(cudaEventRecord(event_, stream.get())); }
    void record(cudaStream_t stream) const { PERFMODEL_CUDA_CALL(cudaEventRecord(event_, stream)); }
    void synchronize() const { PERFMODEL_CUDA_CALL(cudaEventSynchronize(event_)); }
    // What is queued on the stream from now on waits for this event.
    void hold(cudaStream_t stream) const { PERFMODEL_CUDA_CALL(cudaStreamWaitEvent(stream, event_, 0)); }
    // Whether it has happened; true before it was ever recorded.
    bool happened() const {
        const cudaError_t status = cudaEventQuery(event_);
        if (status == cudaErrorNotReady) return false;
        PERFMODEL_CUDA_CALL(status);
        return true;
    }
    // Seconds from `start` to this event; both must have happened.
    double seconds_since(const Event& start) const {
        float milliseconds = 0.0F;
        PERFMODEL_CUDA_CALL(cudaEventElapsedTime(&milliseconds, start.event_, event_));
        return static_cast<double>(milliseconds) * 1e-3;
    }

  private:
    cudaEvent_t event_ = nullptr;
};

// Device memory for `count` elements.
template <typename T>
class DeviceArray {
  public:
    explicit DeviceArray(std::size_t count) : count_(count) {
        PERFMODEL_CUDA_CALL(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T)));
    }
    ~DeviceArray() { static_cast<void>(cudaFree(data_)); }
    DeviceArray(const DeviceArray&) = delete;
    DeviceArray& operator=(const DeviceArray&) = delete;

    T* get() const { return data_; }
    std::size_t size() const { return count_; }

  private:
    T* data_ = nullptr;
    std::size_t count_ = 0;
};

// Page-locked host memory for `count` elements: copies from it to a GPU run beside the host.
template <typename T>
class PinnedArray {
  public:
    explicit PinnedArray(std::size_t count) : count_(count) {
        PERFMODEL_CUDA_CALL(cudaMallocHost(reinterpret_cast<void**>(&data_), count * sizeof(T)));
    }
    ~PinnedArray() { static_cast<void>(cudaFreeHost(data_)); }
    PinnedArray(const PinnedArray&) = delete;
    PinnedArray& operator=(const PinnedArray&) = delete;

    T* get() const { return data_; }
    std::size_t size() const { return count_; }

  private:
    T* data_ = nullptr;
    std::size_t count_ = 0;
};

// Memory that grows when more is asked for and does not keep what it held. To be grown only when nothing uses
// it.
template <typename Array>
class Growing {
  public:
    auto* reserve(std::size_t count) {
        if (array_ == nullptr || array_->size() < count) {
            array_.reset();
            array_ = std::make_unique<Array>(count + count / 4);
        }
        return array_->get();
    }

  private:
    std::unique_ptr<Array> array_;
};

// Makes a GPU current and restores the one that was current before.
class DeviceGuard {
  public:
    explicit DeviceGuard(int index) {
        PERFMODEL_CUDA_CALL(cudaGetDevice(&previous_));
        PERFMODEL_CUDA_CALL(cudaSetDevice(index));
    }
    ~DeviceGuard() { static_cast<void>(cudaSetDevice(previous_)); }
    DeviceGuard(const DeviceGuard&) = delete;
    DeviceGuard& operator=(const DeviceGuard&) = delete;

  private:
    int previous_ = 0;
};

}  // namespace perfmodel::cuda
