// The last step: bytes to normalised values in the batch, with the cut-out.
#pragma once

#include <cstdint>

#include "cpu/image/kernels.h"
#include "cpu/image/memory.h"
#include "cpu/image/output.h"
#include "cpu/image/plan.h"
#include "cpu/image/resampler.h"

namespace perfmodel::cpu::image {

// Writes samples of a batch. Holds what all samples of a batch share; cheap to make.
class Writer {
  public:
    Writer(const Kernels& kernels, const Target& target);

    // Writes planes of the target's size, as many as it has channels, as sample `index`; `line` is memory to
    // work with. Throws std::bad_alloc.
    void write(const Planes& planes, const SamplePlan& plan, std::size_t index,
               Buffer<std::uint8_t>& line) const;

    // Fills sample `index` with zero bytes.
    void clear(std::size_t index) const;

  private:
    void convert(const std::uint8_t* in, int count, int channel, std::byte* out) const;
    void fill(std::byte* out, int count) const;
    void write_planes(const Planes& planes, const CutBox& box, std::byte* out) const;
    void write_pixels(const Planes& planes, const CutBox& box, std::byte* out,
                      Buffer<std::uint8_t>& line) const;

    const Kernels& kernels_;
    const Target& target_;
    std::size_t element_;            // bytes
    std::uint8_t fill_[4] = {};      // bytes of the cut-out's value
    float scale_[4][kPattern] = {};  // of each channel, and of pixels with the channels side by side
    float shift_[4][kPattern] = {};
};

}  // namespace perfmodel::cpu::image
