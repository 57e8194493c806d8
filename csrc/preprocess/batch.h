// A batch worked out on the host: geometry and weights of every image, and the order of work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/image/plan.h"
#include "cpu/image/tap_cache.h"
#include "preprocess/task.h"

namespace perfmodel::preprocess {

// A decoded image among the pixels of its batch: interleaved red, green and blue, or grey.
struct DecodedImage {
    std::uint64_t offset = 0;
    std::uint64_t pitch = 0;  // bytes from row to row
    int width = 0;
    int height = 0;
    int planes = 0;  // 1 or 3; 0: there is none, its output is zero
};

struct BatchOptions {
    int columns = 0;     // of a tile: kWideColumns, kNarrowColumns, or 0 for the one that wastes less
    int resident = 528;  // blocks that run at a time
    std::size_t shared_bytes = 48 << 10;  // that a block may have
};

// Everything but the pixels and the addresses.
struct Batch {
    std::vector<ImageTask> images;
    std::vector<std::int32_t> starts;
    std::vector<std::uint32_t> weights;
    std::vector<std::uint32_t> order;
    BatchTask task = {};
    int columns = kWideColumns;
    std::size_t shared_bytes = 0;
    std::size_t kept_words = 0;  // 0 where no image needs two parts
    std::size_t out_bytes = 0;
    std::uint64_t read_bytes = 0;  // of pixels that the crops need, each once

    // Bytes of images, starts, weights and order one behind the other, and copies of them at `to`.
    std::size_t description_bytes() const;
    void write_description(std::byte* to) const;
    // The task with the addresses that the description has at `at`.
    BatchTask bind(const std::byte* at) const;
};

class BatchMaker {
  public:
    // The plans have passed check_plans. Throws PreconditionError where one does not fit its image or the
    // target.
    Batch make(const std::vector<DecodedImage>& images, const cpu::image::SamplePlan* plans,
               const cpu::image::Target& target, const BatchOptions& options);

  private:
    cpu::image::TapCache taps_;
};

}  // namespace perfmodel::preprocess
