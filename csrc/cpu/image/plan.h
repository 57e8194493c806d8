// What to do with each sample of a batch, and where the results go. The layout of SamplePlan is that of the
// structured NumPy array that callers pass.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/buffer.h"

namespace perfmodel::cpu::image {

enum class Resize : std::uint8_t {
    none = 0,     // keep the size
    exact = 1,    // to height x width
    shorter = 2,  // shorter side to `height`, keeping the aspect
    region = 3,   // a part of the image to the output's size
};

enum class Filter : std::uint8_t { nearest = 0, box = 1, bilinear = 2, bicubic = 3, lanczos = 4 };

constexpr std::uint8_t kFilters = 5;
constexpr std::uint8_t kDefaultFilter = 255;  // take the batch's filter

// Steps of colour jitter, as they stand in SamplePlan::order.
enum class Jitter : std::uint8_t { brightness = 0, contrast = 1, saturation = 2, hue = 3 };

constexpr std::size_t kJitterSteps = 4;

#pragma pack(push, 1)
struct SamplePlan {
    std::uint8_t mode;  // Resize
    std::uint16_t height;
    std::uint16_t width;
    float u;  // left edge of the crop as a share of what is possible, in [0, 1); below 0: centred
    float v;  // top edge
    float area;
    float ratio;
    std::uint8_t flip;
    std::uint8_t channels;
    std::uint8_t filter;
    std::uint8_t order[kJitterSteps];
    float brightness;
    float contrast;
    float saturation;
    float hue;
    float cut_y;
    float cut_x;
    float cut_h;
    float cut_w;
    std::uint8_t orient;
};
#pragma pack(pop)

static_assert(sizeof(SamplePlan) == 61, "the layout of the structured NumPy type");

// Colour jitter changes something.
inline bool jitters(const SamplePlan& plan) {
    return plan.brightness != 1.0F || plan.contrast != 1.0F || plan.saturation != 1.0F || plan.hue != 0.0F;
}

// Where a batch goes and how its values are stored.
struct Target {
    std::byte* data = nullptr;
    ElementType type = ElementType::float32;
    int height = 0;
    int width = 0;
    int channels = 3;
    bool channels_last = false;
    float mean[3] = {0.0F, 0.0F, 0.0F};
    float std[3] = {1.0F, 1.0F, 1.0F};
    float cut_fill = 0.0F;
    Filter filter = Filter::bilinear;
    std::uint64_t max_pixels = 178956970;

    std::size_t sample_bytes() const {
        return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
               static_cast<std::size_t>(channels) * element_size(type);
    }
};

}  // namespace perfmodel::cpu::image
