// Separable resize of planes as their rows arrive: the horizontal pass at once, 16 rows together, the
// vertical pass when all rows are there. Only rows and columns that the crop needs take part.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/image/geometry.h"
#include "cpu/image/kernels.h"
#include "cpu/image/memory.h"
#include "cpu/image/tap_cache.h"

namespace perfmodel::cpu::image {

constexpr int kMostPlanes = 3;

struct PlaneSampling {
    Sampling x;
    Sampling y;
};

enum class Colours {
    bytes,  // planes of red, green and blue, or one of grey: clipped to bytes between the passes, as Pillow
            // does
    ycc,    // three planes of JFIF YCbCr
};

// Bytes of up to three planes, each row `stride` bytes after the one above; rows have room up to `stride`.
struct Planes {
    std::uint8_t* plane[kMostPlanes] = {};
    int count = 0;
    int width = 0;
    int height = 0;
    std::size_t stride = 0;

    std::uint8_t* row(int c, int y) const { return plane[c] + static_cast<std::size_t>(y) * stride; }
};

class Resampler {
  public:
    explicit Resampler(const Kernels& kernels) : kernels_(kernels) {}

    // Starts an image of `count` planes. Throws std::bad_alloc.
    void begin(const Geometry& geometry, const PlaneSampling* planes, int count, Colours colours);

    // Pairs of rows (2q, 2q + 1) and of columns that are needed of a plane.
    PairRange rows(int plane) const { return planes_[plane].rows; }
    PairRange columns(int plane) const { return planes_[plane].columns; }

    // Takes the pair of rows `pair` of a plane. The rows are read until the next flush, up to kSlack bytes
    // behind the last column; where the image has no lower row any other will do.
    void push(int plane, int pair, const std::uint8_t* upper, const std::uint8_t* lower);
    void flush();

    // Vertical pass, once all needed rows were pushed and flushed. `out` has the geometry's kept width and
    // height.
    void finish(const Planes& out);

    // Gives memory back beyond `most` bytes.
    void trim(std::size_t most);

  private:
    struct Plane {
        TapView x;
        TapView y;
        PairRange rows;
        PairRange columns;
        int queue = 0;  // planes with the same columns and weights share one
        Buffer<RowPair> passed;
    };
    struct Queue {
        const std::uint8_t* row[kRows] = {};
        RowPair* out[kRowPairs] = {};
        int plane = 0;
        int length = 0;
    };

    void run(Queue& queue);
    void finish_fine(const Planes& out, int y);
    void finish_bytes(const Planes& out, int y);

    const Kernels& kernels_;
    TapCache taps_;
    Plane planes_[kMostPlanes];
    Queue queues_[kMostPlanes];
    Buffer<std::uint8_t> gathered_;
    Buffer<RowPair> spare_;  // where the results of missing rows go
    Buffer<std::int16_t> fine_;
    int count_ = 0;
    int outputs_ = 0;
    std::ptrdiff_t stride_ = 0;
    Colours colours_ = Colours::bytes;
};

}  // namespace perfmodel::cpu::image
