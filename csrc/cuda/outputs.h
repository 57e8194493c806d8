// Device memory of results, used again when nobody needs it any more.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/resources.h"

namespace perfmodel::cuda {

// Memory of one result and the moments of its making.
class Output {
  public:
    explicit Output(std::size_t bytes) : memory_(bytes) {}

    std::byte* data() const { return memory_.get(); }
    std::size_t bytes() const { return memory_.size(); }

    Event started;  // before anything was copied
    Event copied;   // inputs are on the device
    Event ready;    // the result is

    // Makes a consumer's stream wait for the result, and remembers that it may read it from then on.
    void lend(cudaStream_t consumer);
    // Somebody reads it, nobody knows where.
    void lend_unknown() { unknown_ = true; }

  private:
    friend class Outputs;

    DeviceArray<std::byte> memory_;
    Event used_;  // the default stream has passed all that read it
    bool by_default_stream_ = false;
    bool unknown_ = false;
};

// The stream of a GPU on which results are made, and their memory. Lives as long as its results.
class Outputs : public std::enable_shared_from_this<Outputs> {
  public:
    // That GPU must be current.
    explicit Outputs(int device) : device_(device) {}

    int device() const { return device_; }
    const Stream& stream() const { return stream_; }

    // At least so many bytes; what is queued on stream() from now on comes after all that used them before.
    // The GPU must be current. The memory comes back when the last copy of the pointer goes, in any thread.
    std::shared_ptr<Output> take(std::size_t bytes);

  private:
    // Free memory of a fitting size, null where there is none; that of unknown readers only if `any`.
    std::unique_ptr<Output> find(std::size_t bytes, bool any);
    std::unique_ptr<Output> make(std::size_t bytes);
    void give_back(std::unique_ptr<Output> output) noexcept;

    static constexpr std::size_t kMostFree = 8;

    int device_;
    Stream stream_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Output>> free_;
};

}  // namespace perfmodel::cuda
