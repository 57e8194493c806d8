// Decoded images to batches on a GPU: copies from page-locked memory and one kernel, on a stream of its own.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "cuda/outputs.h"
#include "preprocess/packing.h"

namespace perfmodel::cuda {

// A batch on its GPU, perhaps still in the making.
struct DeviceBatch {
    std::shared_ptr<Outputs> outputs;
    std::shared_ptr<Output> output;
    ElementType type = ElementType::float32;
    std::vector<std::int64_t> shape;
    std::uint64_t read_bytes = 0;   // of pixels that the kernel needs
    std::uint64_t write_bytes = 0;  // that it makes
};

// Where the pixels of a batch are.
struct Pixels {
    const std::vector<preprocess::DecodedImage>& images;
    std::size_t bytes = 0;
    std::size_t staged = 0;  // of these, in page-locked memory
};

// Seconds of the kernel alone.
struct KernelTimes {
    std::uint64_t read_bytes = 0;
    std::uint64_t write_bytes = 0;
    std::vector<double> seconds;
};

class Preprocessor {
  public:
    // `slots` batches may be under way at a time. Throws CudaUnavailable without a GPU, PreconditionError for
    // a wrong index or number.
    static std::unique_ptr<Preprocessor> make(int device, int slots);

    ~Preprocessor();
    Preprocessor(const Preprocessor&) = delete;
    Preprocessor& operator=(const Preprocessor&) = delete;

    int device() const { return outputs_->device(); }
    cudaStream_t stream() const { return outputs_->stream().get(); }

    // Page-locked memory of the next batch, free to be written to until it is submitted.
    std::uint8_t* stage(std::size_t bytes);

    // Queues the staged batch: copy and kernel. Only the first `pixels.staged` bytes are copied; the rest is
    // written to device_pixels() by work on stream() that was queued before.
    DeviceBatch submit(const Pixels& pixels, const cpu::image::SamplePlan* plans,
                       const cpu::image::Target& target, int columns);

    // The same for pixels that are on the device; `held` is kept until they have been read.
    DeviceBatch submit_device(const Pixels& pixels, const std::uint8_t* address, std::shared_ptr<void> held,
                              const cpu::image::SamplePlan* plans, const cpu::image::Target& target,
                              int columns);

    // Times the kernel on `copies` copies of staged pixels in turn, so that none is in a cache.
    KernelTimes time(const Pixels& pixels, const cpu::image::SamplePlan* plans,
                     const cpu::image::Target& target, int columns, int copies, int repeats);

    // Device memory for the pixels of the staged batch, for work on stream().
    std::uint8_t* device_pixels(std::size_t bytes);

    // One batch is staged and submitted at a time.
    std::mutex& mutex() { return mutex_; }

  private:
    Preprocessor(int device, int slots);

    struct Slot {
        Growing<PinnedArray<std::uint8_t>> pixels;
        Growing<PinnedArray<std::byte>> description;
        Event done;  // all that used the slot has ended
        std::shared_ptr<void> held;
    };

    preprocess::Batch make_batch(const Pixels& pixels, const cpu::image::SamplePlan* plans,
                                 const cpu::image::Target& target, int columns);
    preprocess::BatchTask send(const preprocess::Batch& batch, Slot& slot);
    void launch(const preprocess::Batch& batch, preprocess::BatchTask task, const std::uint8_t* pixels,
                std::size_t pixel_bytes, std::byte* out);
    DeviceBatch start(const preprocess::Batch& batch, const cpu::image::Target& target);
    DeviceBatch queue(const preprocess::Batch& batch, const Pixels& pixels, const std::uint8_t* address,
                      const DeviceBatch& result, Slot& slot);
    Slot& staged_slot();

    std::shared_ptr<Outputs> outputs_;
    std::mutex mutex_;
    preprocess::BatchMaker maker_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::size_t next_ = 0;
    Slot* staged_ = nullptr;
    Growing<DeviceArray<std::uint8_t>> pixels_;
    Growing<DeviceArray<std::byte>> description_;
    Growing<DeviceArray<std::uint32_t>> kept_;
    Growing<DeviceArray<unsigned long long>> counters_;
};

}  // namespace perfmodel::cuda
