#include "cuda/preprocessor.h"

#include <algorithm>
#include <utility>

#include "common/error.h"
#include "cpu/image/stages.h"
#include "cuda/device.h"
#include "cuda/preprocess_kernel.h"

namespace perfmodel::cuda {

namespace {

using cpu::image::DeviceRange;
using cpu::image::DeviceWork;

constexpr int kMostSlots = 64;

std::vector<std::int64_t> batch_shape(const cpu::image::Target& target, std::size_t count) {
    const auto n = static_cast<std::int64_t>(count);
    if (target.channels_last) return {n, target.height, target.width, target.channels};
    return {n, target.channels, target.height, target.width};
}

// Counters of one launch: totals of the images, then what they have finished, then the next ticket.
std::size_t counter_words(std::size_t images) {
    return images + (images + 1) / 2 + 1;
}

void point_counters(unsigned long long* counters, std::size_t images, preprocess::BatchTask& task) {
    task.totals = counters;
    task.finished = reinterpret_cast<std::uint32_t*>(counters + images);
    task.next = reinterpret_cast<std::uint32_t*>(counters + images + (images + 1) / 2);
}

std::size_t line_up(std::size_t bytes) {
    return (bytes + 255) / 256 * 256;
}

// Copies of a batch's pixels in device memory, each with outputs of its own, for timing the kernel.
class KernelPass {
  public:
    KernelPass(const preprocess::Batch& batch, const preprocess::BatchTask& task, const std::uint8_t* pixels,
               std::size_t copies, cudaStream_t stream)
        : batch_(batch),
          task_(task),
          copies_(copies),
          in_bytes_(line_up(static_cast<std::size_t>(task.pixel_bytes))),
          out_bytes_(line_up(batch.out_bytes)),
          words_(counter_words(batch.images.size())),
          blocks_(resident_blocks(batch.columns, batch.shared_bytes)),
          stream_(stream),
          in_(copies * in_bytes_),
          out_(copies * out_bytes_),
          counters_(copies * words_) {
        for (std::size_t i = 0; i < copies; ++i)
            PERFMODEL_CUDA_CALL(cudaMemcpyAsync(in_.get() + i * in_bytes_, pixels,
                                                static_cast<std::size_t>(task.pixel_bytes),
                                                cudaMemcpyHostToDevice, stream));
    }

    // Launches the kernel once for each copy; seconds of one launch.
    double run() const {
        PERFMODEL_CUDA_CALL(
            cudaMemsetAsync(counters_.get(), 0, counters_.size() * sizeof(*counters_.get()), stream_));
        const Event begin;
        const Event end;
        begin.record(stream_);
        for (std::size_t i = 0; i < copies_; ++i) {
            preprocess::BatchTask task = task_;
            point_counters(counters_.get() + i * words_, batch_.images.size(), task);
            task.pixels = in_.get() + i * in_bytes_;
            task.out = reinterpret_cast<std::uint8_t*>(out_.get() + i * out_bytes_);
            launch_preprocess(task, batch_.columns, batch_.shared_bytes, blocks_, stream_);
        }
        end.record(stream_);
        end.synchronize();
        return end.seconds_since(begin) / static_cast<double>(copies_);
    }

  private:
    const preprocess::Batch& batch_;
    preprocess::BatchTask task_;
    std::size_t copies_;
    std::size_t in_bytes_;
    std::size_t out_bytes_;
    std::size_t words_;
    int blocks_;
    cudaStream_t stream_;
    DeviceArray<std::uint8_t> in_;
    DeviceArray<std::byte> out_;
    DeviceArray<unsigned long long> counters_;
};

}  // namespace

std::unique_ptr<Preprocessor> Preprocessor::make(int device, int slots) {
    PERFMODEL_EXPECTS(slots >= 1 && slots <= kMostSlots,
                      "slots must be 1 to 64, not " + std::to_string(slots));
    const int count = device_count();
    PERFMODEL_EXPECTS(device >= 0 && device < count,
                      "no GPU " + std::to_string(device) + "; this machine has " + std::to_string(count));
    const DeviceGuard guard(device);
    return std::unique_ptr<Preprocessor>(new Preprocessor(device, slots));
}

Preprocessor::Preprocessor(int device, int slots) : outputs_(std::make_shared<Outputs>(device)) {
    for (int i = 0; i < slots; ++i) slots_.push_back(std::make_unique<Slot>());
}

Preprocessor::~Preprocessor() {
    static_cast<void>(
        cudaStreamSynchronize(stream()));  // page-locked memory and `held` are in use until then
}

std::uint8_t* Preprocessor::stage(std::size_t bytes) {
    const DeviceGuard guard(device());
    Slot& slot = *slots_[next_];
    slot.done.synchronize();
    slot.held.reset();
    std::uint8_t* pixels = slot.pixels.reserve(std::max<std::size_t>(bytes, 1));
    staged_ = &slot;
    next_ = (next_ + 1) % slots_.size();
    return pixels;
}

std::uint8_t* Preprocessor::device_pixels(std::size_t bytes) {
    const DeviceGuard guard(device());
    return pixels_.reserve(std::max<std::size_t>(bytes, 1));
}

Preprocessor::Slot& Preprocessor::staged_slot() {
    PERFMODEL_EXPECTS(staged_ != nullptr, "no batch was staged");
    return *std::exchange(staged_, nullptr);
}

preprocess::Batch Preprocessor::make_batch(const Pixels& pixels, const cpu::image::SamplePlan* plans,
                                           const cpu::image::Target& target, int columns) {
    preprocess::BatchOptions options;
    options.columns = columns;
    return maker_.make(pixels.images, plans, target, options);
}

// Queues the copy of the description; the task has its addresses on the device.
preprocess::BatchTask Preprocessor::send(const preprocess::Batch& batch, Slot& slot) {
    const std::size_t bytes = std::max<std::size_t>(batch.description_bytes(), 1);
    std::byte* from = slot.description.reserve(bytes);
    batch.write_description(from);
    std::byte* to = description_.reserve(bytes);
    PERFMODEL_CUDA_CALL(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream()));
    return batch.bind(to);
}

void Preprocessor::launch(const preprocess::Batch& batch, preprocess::BatchTask task,
                          const std::uint8_t* pixels, std::size_t pixel_bytes, std::byte* out) {
    const std::size_t words = counter_words(batch.images.size());
    unsigned long long* counters = counters_.reserve(words);
    PERFMODEL_CUDA_CALL(cudaMemsetAsync(counters, 0, words * sizeof(counters[0]), stream()));
    point_counters(counters, batch.images.size(), task);
    task.pixels = pixels;
    task.pixel_bytes = pixel_bytes;
    task.out = reinterpret_cast<std::uint8_t*>(out);
    task.kept = kept_.reserve(std::max<std::size_t>(batch.kept_words, 1));
    launch_preprocess(task, batch.columns, batch.shared_bytes,
                      resident_blocks(batch.columns, batch.shared_bytes), stream());
}

DeviceBatch Preprocessor::start(const preprocess::Batch& batch, const cpu::image::Target& target) {
    DeviceBatch result;
    result.outputs = outputs_;
    result.output = outputs_->take(batch.out_bytes);
    result.type = target.type;
    result.shape = batch_shape(target, batch.images.size());
    result.read_bytes = batch.read_bytes;
    result.write_bytes = batch.out_bytes;
    result.output->started.record(stream());
    return result;
}

// Queues description and kernel of a batch whose pixels are, or will be, at that address.
DeviceBatch Preprocessor::queue(const preprocess::Batch& batch, const Pixels& pixels,
                                const std::uint8_t* address, const DeviceBatch& result, Slot& slot) {
    const preprocess::BatchTask task = send(batch, slot);
    result.output->copied.record(stream());
    slot.done.record(stream());
    const DeviceRange range(DeviceWork::kernel);
    launch(batch, task, address, pixels.bytes, result.output->data());
    result.output->ready.record(stream());
    slot.done.record(stream());
    return result;
}

DeviceBatch Preprocessor::submit(const Pixels& pixels, const cpu::image::SamplePlan* plans,
                                 const cpu::image::Target& target, int columns) {
    const DeviceGuard guard(device());
    Slot& slot = staged_slot();
    const preprocess::Batch batch = make_batch(pixels, plans, target, columns);
    const DeviceBatch result = start(batch, target);
    std::uint8_t* to = pixels_.reserve(std::max<std::size_t>(pixels.bytes, 1));
    {
        const DeviceRange range(DeviceWork::copy);
        PERFMODEL_CUDA_CALL(
            cudaMemcpyAsync(to, slot.pixels.reserve(1), pixels.staged, cudaMemcpyHostToDevice, stream()));
        slot.done.record(stream());  // also where what follows fails
    }
    return queue(batch, pixels, to, result, slot);
}

DeviceBatch Preprocessor::submit_device(const Pixels& pixels, const std::uint8_t* address,
                                        std::shared_ptr<void> held, const cpu::image::SamplePlan* plans,
                                        const cpu::image::Target& target, int columns) {
    const DeviceGuard guard(device());
    static_cast<void>(stage(0));
    Slot& slot = staged_slot();
    slot.held = std::move(held);
    const preprocess::Batch batch = make_batch(pixels, plans, target, columns);
    return queue(batch, pixels, address, start(batch, target), slot);
}

KernelTimes Preprocessor::time(const Pixels& pixels, const cpu::image::SamplePlan* plans,
                               const cpu::image::Target& target, int columns, int copies, int repeats) {
    PERFMODEL_EXPECTS(copies >= 1 && copies <= 10000, "copies must be 1 to 10000");
    PERFMODEL_EXPECTS(repeats >= 1 && repeats <= 100000, "repeats must be 1 to 100000");
    const DeviceGuard guard(device());
    Slot& slot = staged_slot();
    const preprocess::Batch batch = make_batch(pixels, plans, target, columns);
    preprocess::BatchTask task = send(batch, slot);
    task.kept = kept_.reserve(std::max<std::size_t>(batch.kept_words, 1));
    task.pixel_bytes = pixels.bytes;
    const KernelPass pass(batch, task, slot.pixels.reserve(1), static_cast<std::size_t>(copies), stream());
    KernelTimes times{batch.read_bytes, batch.out_bytes, {}};
    static_cast<void>(pass.run());
    for (int i = 0; i < repeats; ++i) times.seconds.push_back(pass.run());
    return times;
}

}  // namespace perfmodel::cuda
