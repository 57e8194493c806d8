// What the kernel is told about a batch: plain data in device memory, or in host memory for the host's
// version.
#pragma once

#include <cstdint>

#include "cpu/image/plan.h"

namespace perfmodel::preprocess {

constexpr int kThreads = 256;     // of a block
constexpr int kTileRows = 32;     // output rows that a block makes at a time
constexpr int kWideColumns = 64;  // and columns, in two versions of the kernel
constexpr int kNarrowColumns = 32;
constexpr int kChunkRows = 16;  // most input rows that are in shared memory at a time
constexpr int kMostPlanes = 3;
constexpr int kMostSteps = static_cast<int>(cpu::image::kJitterSteps);
constexpr int kGroupBytes = 48;  // of a row that one thread brings to shared memory at a time

// One axis of an image: where each output's weights begin.
struct AxisTask {
    std::uint32_t starts;   // index of output 0 among all starts: its first pair of pixels
    std::uint32_t weights;  // index of output 0's weights, in pairs
    std::int32_t pairs;     // of weights of each output, even for columns
    std::int32_t shift;     // bits of the weights' fraction
};

struct ImageTask {
    std::uint64_t offset;  // of its first byte among all pixels
    std::uint64_t pitch;   // bytes from row to row
    AxisTask x;
    AxisTask y;
    std::int32_t width;
    std::int32_t height;
    std::int32_t planes;  // 1 or 3 bytes a pixel; 0: there is no image, its output is zero
    std::int32_t chunk;   // rows that are in shared memory at a time, an even number
    std::int32_t staged;  // columns pass through shared memory; else they are too many, and are read in place
    float factor[3];      // of brightness, contrast, saturation
    std::int32_t hue;     // steps of 1/255 turn
    std::uint8_t order[cpu::image::kJitterSteps];
    std::uint8_t active[cpu::image::kJitterSteps];  // by place in the order: this step changes something
    std::int32_t pause;  // place in the order of a contrast that changes something, else 4
    std::int32_t cut_top;
    std::int32_t cut_bottom;
    std::int32_t cut_left;
    std::int32_t cut_right;
};

enum class OutputType : std::int32_t { float32, float16, bfloat16, uint8 };

struct BatchTask {
    const std::uint8_t* pixels;
    std::uint64_t pixel_bytes;
    const ImageTask* images;
    const std::int32_t* starts;
    const std::uint32_t* weights;
    const std::uint32_t* order;  // work of whole images: 2 * image + (1 where it is the part after a pause)
    std::uint8_t* out;
    std::uint32_t* kept;         // bytes of paused images between their two parts
    unsigned long long* totals;  // grey of each image
    std::uint32_t* finished;     // tiles of each image that wait for the total
    std::uint32_t* next;         // piece of work that nobody has taken yet
    std::uint32_t tickets;       // pieces of work: tiles of all entries of the order
    std::int32_t tiles;          // of an image
    std::int32_t tiles_across;
    std::int32_t height;  // of the outputs
    std::int32_t width;
    std::int32_t channels;
    OutputType type;
    std::int32_t element;  // bytes
    std::int32_t channels_last;
    std::int32_t vectors;  // rows lie so that four values can be stored at once
    std::int32_t quads;    // most fours of weights that an output column has, of those in shared memory
    float scale[3];
    float shift[3];
    std::uint32_t fill;  // bits of the cut-out's value
};

}  // namespace perfmodel::preprocess
