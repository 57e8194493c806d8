#include "cuda/preprocessor.h"

#include <algorithm>
#include <utility>

#include "common/error.h"
#include "cuda/device.h"
#include "cuda/preprocess_kernel.h"

namespace perfmodel::cuda {

namespace {

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

DeviceBatch Preprocessor::submit(const Pixels& pixels, const cpu::image::SamplePlan* plans,
                                 const cpu::image::Target& target, int columns) {
    const DeviceGuard guard(device());
    Slot& slot = staged_slot();
    const preprocess::Batch batch = make_batch(pixels, plans, target, columns);
    const DeviceBatch result = start(batch, target);
    std::uint8_t* to = pixels_.reserve(std::max<std::size_t>(pixels.bytes, 1));
    PERFMODEL_CUDA_CALL(
        cudaMemcpyAsync(to, slot.pixels.reserve(1), pixels.staged, cudaMemcpyHostToDevice, stream()));
    const preprocess::BatchTask task = send(batch, slot);
    result.output->copied.record(stream());
    launch(batch, task, to, pixels.bytes, result.output->data());
    result.output->ready.record(stream());
    slot.done.record(stream());
    return result;
}

DeviceBatch Preprocessor::submit_device(const Pixels& pixels, const std::uint8_t* address,
                                        std::shared_ptr<void> held, const cpu::image::SamplePlan* plans,
                                        const cpu::image::Target& target, int columns) {
    const DeviceGuard guard(device());
    static_cast<void>(stage(0));
    Slot& slot = staged_slot();
    slot.held = std::move(held);
    const preprocess::Batch batch = make_batch(pixels, plans, target, columns);
    const DeviceBatch result = start(batch, target);
    const preprocess::BatchTask task = send(batch, slot);
    result.output->copied.record(stream());
    launch(batch, task, address, pixels.bytes, result.output->data());
    result.output->ready.record(stream());
    slot.done.record(stream());
    return result;
}

KernelTimes Preprocessor::time(const Pixels& pixels, const cpu::image::SamplePlan* plans,
                               const cpu::image::Target& target, int columns, int copies, int repeats) {
    PERFMODEL_EXPECTS(copies >= 1 && copies <= 10000, "copies must be 1 to 10000");
    PERFMODEL_EXPECTS(repeats >= 1 && repeats <= 100000, "repeats must be 1 to 100000");
    const DeviceGuard guard(device());
    Slot& slot = staged_slot();
    const preprocess::Batch batch = make_batch(pixels, plans, target, columns);
    preprocess::BatchTask task = send(batch, slot);
    const auto number = static_cast<std::size_t>(copies);
    const std::size_t in_bytes = (pixels.bytes + 255) / 256 * 256;
    const std::size_t out_bytes = (batch.out_bytes + 255) / 256 * 256;
    const std::size_t words = counter_words(batch.images.size());
    const DeviceArray<std::uint8_t> in(number * in_bytes);
    const DeviceArray<std::byte> out(number * out_bytes);
    const DeviceArray<unsigned long long> counters(number * words);
    const int blocks = resident_blocks(batch.columns, batch.shared_bytes);
    task.kept = kept_.reserve(std::max<std::size_t>(batch.kept_words, 1));
    task.pixel_bytes = pixels.bytes;
    for (std::size_t i = 0; i < number; ++i)
        PERFMODEL_CUDA_CALL(cudaMemcpyAsync(in.get() + i * in_bytes, slot.pixels.reserve(1), pixels.bytes,
                                            cudaMemcpyHostToDevice, stream()));
    const auto pass = [&] {
        PERFMODEL_CUDA_CALL(
            cudaMemsetAsync(counters.get(), 0, number * words * sizeof(*counters.get()), stream()));
        const Event begin;
        const Event end;
        begin.record(stream());
        for (std::size_t i = 0; i < number; ++i) {
            point_counters(counters.get() + i * words, batch.images.size(), task);
            task.pixels = in.get() + i * in_bytes;
            task.out = reinterpret_cast<std::uint8_t*>(out.get() + i * out_bytes);
            launch_preprocess(task, batch.columns, batch.shared_bytes, blocks, stream());
        }
        end.record(stream());
        end.synchronize();
        return end.seconds_since(begin) / copies;
    };
    KernelTimes times{batch.read_bytes, batch.out_bytes, {}};
    static_cast<void>(pass());
    for (int i = 0; i < repeats; ++i) times.seconds.push_back(pass());
    return times;
}

}  // namespace perfmodel::cuda
