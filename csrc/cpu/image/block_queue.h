// Blocks of JPEG coefficients on their way to pixels: transformed two at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/image/huffman.h"
#include "cpu/image/kernels.h"

namespace perfmodel::cpu::image {

class BlockQueue {
  public:
    explicit BlockQueue(const Kernels& kernels) : kernels_(kernels) {}

    bool usable() const { return kernels_.inverse_cosine != nullptr; }

    // Forgets blocks that wait.
    void reset() {
        std::memset(blocks_, 0, sizeof blocks_);
        length_ = 0;
    }

    // Memory for the next block's coefficients in rows: zeros, and a place behind them that means nothing.
    std::int16_t* next() { return blocks_[length_]; }

    // Takes the block in next(); its pixels will be at `out` after flush(), if not before.
    void push(const std::uint16_t* steps, std::uint8_t* out, std::ptrdiff_t stride) {
        steps_[length_] = steps;
        out_[length_] = out;
        strides_[length_] = stride;
        if (++length_ == 2) run();
    }

    // The block in next() is not wanted; nothing but its first value was set, or anything.
    void drop(bool only_first) {
        if (only_first)
            blocks_[length_][0] = 0;
        else
            std::memset(blocks_[length_], 0, kBlockValues * sizeof(std::int16_t));
    }

    void flush() {
        if (length_ == 0) return;
        steps_[1] = steps_[0];
        out_[1] = out_[0];
        strides_[1] = strides_[0];
        std::memcpy(blocks_[1], blocks_[0], kBlockValues * sizeof(std::int16_t));
        run();
    }

  private:
    void run() {
        const std::int16_t* const blocks[2] = {blocks_[0], blocks_[1]};
        kernels_.inverse_cosine(blocks, steps_, out_, strides_);
        reset();
    }

    const Kernels& kernels_;
    alignas(64) std::int16_t blocks_[2][kBlockValues + 32] = {};
    const std::uint16_t* steps_[2] = {};
    std::uint8_t* out_[2] = {};
    std::ptrdiff_t strides_[2] = {};
    int length_ = 0;
};

}  // namespace perfmodel::cpu::image
