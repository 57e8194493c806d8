// How bytes become values of a batch, and the box that cut-out blanks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "cpu/image/pixel_math.h"
#include "cpu/image/plan.h"

namespace perfmodel::cpu::image {

// Value = byte * scale + shift, rounded after each step.
inline float output_scale(const Target& target, int channel) {
    return static_cast<float>(1.0 / (255.0 * static_cast<double>(target.std[channel])));
}

inline float output_shift(const Target& target, int channel) {
    return static_cast<float>(-static_cast<double>(target.mean[channel]) /
                              static_cast<double>(target.std[channel]));
}

// Bits of the cut-out's value in the output's type.
inline std::uint32_t fill_bits(const Target& target) {
    const float value = target.cut_fill;
    std::uint32_t bits = 0;
    switch (target.type) {
        case ElementType::float32:
            std::memcpy(&bits, &value, sizeof bits);
            return bits;
        case ElementType::float16:
            return half_bits(value);
        case ElementType::uint8:
            return static_cast<std::uint8_t>(std::nearbyint(std::clamp(value, 0.0F, 255.0F)));
        default:
            return bfloat_bits(value);
    }
}

// The cut-out: rows and columns of the output, none where it is off.
struct CutBox {
    int top = 0;
    int bottom = 0;
    int left = 0;
    int right = 0;

    bool covers(int y) const { return y >= top && y < bottom && left < right; }
};

// Edge of the cut-out in pixels, within the output; its place is a sum of shares of the size.
inline int cut_edge(float start, float length, int size) {
    const double share = static_cast<double>(start) + static_cast<double>(length);
    const double place = std::floor(share * size + 0.5);
    return place > 0.0 ? static_cast<int>(std::min(place, static_cast<double>(size))) : 0;
}

inline CutBox find_cut(const SamplePlan& plan, const Target& target) {
    CutBox box;
    if (!(plan.cut_h > 0.0F)) return box;
    box.top = cut_edge(plan.cut_y, 0.0F, target.height);
    box.bottom = cut_edge(plan.cut_y, plan.cut_h, target.height);
    box.left = cut_edge(plan.cut_x, 0.0F, target.width);
    box.right = cut_edge(plan.cut_x, plan.cut_w, target.width);
    return box;
}

}  // namespace perfmodel::cpu::image
