// One sample from file to batch, by one worker.
#pragma once

#include <memory>

#include "cpu/image/plan.h"
#include "cpu/image/source.h"
#include "cpu/image/stages.h"
#include "cpu/image/write.h"

namespace perfmodel::cpu::image {

// What a worker keeps from image to image: decoders, tables and memory.
class SampleLoader {
  public:
    explicit SampleLoader(const Kernels& kernels);
    ~SampleLoader();
    SampleLoader(const SampleLoader&) = delete;
    SampleLoader& operator=(const SampleLoader&) = delete;

    // Loads one sample and writes it; where that fails its place in the batch is filled with zeros.
    Outcome load(const Source& source, const SamplePlan& plan, const Target& target, const Writer& writer,
                 std::size_t index, const std::atomic<bool>& cancelled, StageClock& clock) noexcept;

    // Reads the header only.
    Outcome header(const Source& source, ImageHeader& header) noexcept;

  private:
    struct Memory;
    std::unique_ptr<Memory> memory_;
};

// Formats that this build reads.
bool reads_jpeg();
bool reads_png();

}  // namespace perfmodel::cpu::image
