// Colour jitter of one pixel, byte by byte what torchvision's ColorJitter does to Pillow images: the same
// bits on every processor, given that products and sums are rounded one by one.
#pragma once

#include <math.h>

#include <cstdint>

#include "common/host_device.h"
#include "cpu/image/luma.h"

namespace perfmodel::preprocess {

using cpu::image::luma;

// Pillow's Image.blend for one value: truncated, clipped where the factor leaves 0 to 1.
PERFMODEL_HD std::uint8_t blend(int from, int to, float factor) {
    const float product = factor * static_cast<float>(to - from);
    const float value = static_cast<float>(from) + product;
    if (value <= 0.0F) return 0;
    if (value >= 255.0F) return 255;
    return static_cast<std::uint8_t>(value);
}

struct Colour {
    std::uint8_t red;
    std::uint8_t green;
    std::uint8_t blue;
};

PERFMODEL_HD std::uint8_t grey(Colour c) {
    return luma(c.red, c.green, c.blue);
}

PERFMODEL_HD Colour blend_from(int from, Colour c, float factor) {
    return {blend(from, c.red, factor), blend(from, c.green, factor), blend(from, c.blue, factor)};
}

// Mean of `count` grey values, rounded as Pillow's contrast does.
PERFMODEL_HD int mean_grey(std::uint64_t sum, std::uint64_t count) {
    const double mean = static_cast<double>(sum) / static_cast<double>(count);
    return static_cast<int>(mean + 0.5);
}

// Hue and saturation of Pillow's HSV, in 0 to 255; the value is the largest channel.
struct Hsv {
    std::uint8_t hue;
    std::uint8_t saturation;
    std::uint8_t value;
};

// Sector and place within it, 0 to 6, as Pillow computes them.
PERFMODEL_HD float hue_angle(Colour c, int most, int least) {
    const auto range = static_cast<float>(most - least);
    const float red = static_cast<float>(most - c.red) / range;
    const float green = static_cast<float>(most - c.green) / range;
    const float blue = static_cast<float>(most - c.blue) / range;
    if (c.red == most) return blue - green;
    if (c.green == most)
        return static_cast<float>(2.0 + static_cast<double>(red) - static_cast<double>(blue));
    return static_cast<float>(4.0 + static_cast<double>(green) - static_cast<double>(red));
}

PERFMODEL_HD Hsv to_hsv(Colour c) {
    const int high = c.red > c.green ? c.red : c.green;
    const int low = c.red < c.green ? c.red : c.green;
    const int most = high > c.blue ? high : c.blue;
    const int least = low < c.blue ? low : c.blue;
    if (most == least) return {0, 0, static_cast<std::uint8_t>(most)};
    const float saturation = static_cast<float>(most - least) / static_cast<float>(most);
    double turn = static_cast<double>(hue_angle(c, most, least)) / 6.0 + 1.0;  // 5/6 to 2
    turn -= turn >= 2.0 ? 2.0 : (turn >= 1.0 ? 1.0 : 0.0);
    const auto hue = static_cast<double>(static_cast<float>(turn));
    return {static_cast<std::uint8_t>(hue * 255.0),
            static_cast<std::uint8_t>(static_cast<double>(saturation) * 255.0),
            static_cast<std::uint8_t>(most)};
}

// A share of a byte, rounded half away from zero.
PERFMODEL_HD std::uint8_t share(std::uint8_t value, double factor) {
    const double rounded = ::round(static_cast<double>(value) * factor);
    return static_cast<std::uint8_t>(rounded < 0.0 ? 0.0 : (rounded > 255.0 ? 255.0 : rounded));
}

PERFMODEL_HD Colour from_hsv(Hsv hsv) {
    const std::uint8_t v = hsv.value;
    if (hsv.saturation == 0) return {v, v, v};
    const double place = static_cast<double>(hsv.hue) * 6.0 / 255.0;
    const int sector = static_cast<int>(place);
    const auto rest = static_cast<double>(static_cast<float>(place - sector));
    const auto saturation = static_cast<double>(static_cast<float>(hsv.saturation) / 255.0F);
    const std::uint8_t p = share(v, 1.0 - saturation);
    const std::uint8_t q = share(v, 1.0 - saturation * rest);
    const std::uint8_t t = share(v, 1.0 - saturation * (1.0 - rest));
    switch (sector % 6) {
        case 0:
            return {v, t, p};
        case 1:
            return {q, v, p};
        case 2:
            return {p, v, t};
        case 3:
            return {p, q, v};
        case 4:
            return {t, p, v};
        default:
            return {v, p, q};
    }
}

// The turn of the hue in units of 1/255.
PERFMODEL_HD std::uint8_t hue_steps(float shift) {
    return static_cast<std::uint8_t>(static_cast<int>(static_cast<double>(shift) * 255.0));
}

PERFMODEL_HD Colour turn_hue(Colour c, std::uint8_t steps) {
    Hsv hsv = to_hsv(c);
    hsv.hue = static_cast<std::uint8_t>(hsv.hue + steps);
    return from_hsv(hsv);
}

PERFMODEL_HD Colour saturate(Colour c, float factor) {
    return blend_from(grey(c), c, factor);
}

}  // namespace perfmodel::preprocess
