// Weights of a resize along one axis, straight from the samples of a plane. They are Pillow's antialiased
// filters (ImagingResample; nearest as ImagingTransform) over pixels, composed with the way libjpeg makes
// pixels from subsampled chroma: so chroma is never brought to full size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/image/plan.h"

namespace perfmodel::cpu::image {

struct TapSpec {
    int samples = 0;        // of the plane along the axis
    int pixels = 0;         // of the image along the axis
    int expand = 1;         // pixels that one sample stands for
    bool triangle = false;  // "fancy" upsampling (expand 2): 3/4 of the nearer sample, 1/4 of the next
    int begin = 0;          // first pixel of the part that is resized
    int box = 0;            // its pixels
    int resized = 0;        // pixels that they become
    int first = 0;          // of these, the first that has an entry
    int count = 0;          // and how many have
    int max_shift = 15;     // most bits of a weight's fraction
    Filter filter = Filter::bilinear;

    bool operator==(const TapSpec& other) const;
};

// For every entry the same number of pairs of weights, over the samples 2 * start and following. Weights are
// integers scaled by 2^shift that sum to exactly 2^shift.
struct TapTable {
    int pairs = 0;
    int shift = 0;
    std::vector<std::int32_t> start;    // of each entry, in pairs of samples
    std::vector<std::int16_t> weights;  // entries x pairs x 2
};

// Fills `table`, whose memory is used again.
void build_taps(const TapSpec& spec, TapTable& table);

// Entries of a table in the order in which outputs want them.
struct TapView {
    const std::int32_t* start = nullptr;
    const std::int16_t* weights = nullptr;
    int pairs = 0;
    int shift = 0;
    int step = 1;  // from the entry of one output to that of the next, 1 or -1
    int outputs = 0;

    std::int32_t start_of(int output) const { return start[output * step]; }
    const std::int16_t* weights_of(int output) const {
        return weights + static_cast<std::ptrdiff_t>(output) * step * pairs * 2;
    }
};

// Pairs of samples that the outputs of a view touch: [first, end).
struct PairRange {
    int first = 0;
    int end = 0;
};

PairRange touched(const TapView& view);

}  // namespace perfmodel::cpu::image
