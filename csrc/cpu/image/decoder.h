// What all image formats have in common.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cpu/image/resampler.h"
#include "cpu/image/stages.h"
#include "cpu/image/status.h"

namespace perfmodel::cpu::image {

// What a file says of itself.
struct ImageHeader {
    int width = 0;
    int height = 0;
    int channels = 0;  // 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha or CMYK
};

// Encoded bytes of a file.
struct Encoded {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
};

// What the decoding of one image needs beside the file.
struct DecodeContext {
    Resampler& resampler;
    StageClock& clock;
    const std::atomic<bool>& cancelled;
};

inline Outcome cancelled_outcome() {
    return failure(Status::cancelled, "interrupted");
}

}  // namespace perfmodel::cpu::image
