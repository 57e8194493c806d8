#include "cpu/image/jitter.h"

#include <algorithm>
#include <cmath>

#include "cpu/image/luma.h"

namespace perfmodel::cpu::image {

namespace {

// Pillow's Image.blend for one value: truncated, clipped where the factor leaves 0 to 1.
std::uint8_t blend(int from, int to, float factor) {
    const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
    if (value <= 0.0F) return 0;
    if (value >= 255.0F) return 255;
    return static_cast<std::uint8_t>(value);
}

void blend_constant(const Planes& planes, int from, float factor) {
    std::uint8_t table[256];
    for (int value = 0; value < 256; ++value) table[value] = blend(from, value, factor);
    for (int p = 0; p < planes.count; ++p) {
        for (int y = 0; y < planes.height; ++y) {
            std::uint8_t* row = planes.row(p, y);
            for (int x = 0; x < planes.width; ++x) row[x] = table[row[x]];
        }
    }
}

std::uint8_t grey_at(const Planes& planes, int x, int y) {
    if (planes.count == 1) return planes.row(0, y)[x];
    return luma(planes.row(0, y)[x], planes.row(1, y)[x], planes.row(2, y)[x]);
}

int mean_grey(const Planes& planes) {
    std::uint64_t sum = 0;
    for (int y = 0; y < planes.height; ++y) {
        std::uint32_t row = 0;
        for (int x = 0; x < planes.width; ++x) row += grey_at(planes, x, y);
        sum += row;
    }
    const double count = static_cast<double>(planes.width) * planes.height;
    return static_cast<int>(static_cast<double>(sum) / count + 0.5);
}

void saturate(const Planes& planes, float factor) {
    for (int y = 0; y < planes.height; ++y) {
        std::uint8_t* red = planes.row(0, y);
        std::uint8_t* green = planes.row(1, y);
        std::uint8_t* blue = planes.row(2, y);
        for (int x = 0; x < planes.width; ++x) {
            const std::uint8_t grey = luma(red[x], green[x], blue[x]);
            red[x] = blend(grey, red[x], factor);
            green[x] = blend(grey, green[x], factor);
            blue[x] = blend(grey, blue[x], factor);
        }
    }
}

struct Colour {
    std::uint8_t channel[3];
};

// Hue and saturation of Pillow's HSV, in 0 to 255; the value is the largest channel.
struct Hsv {
    std::uint8_t hue;
    std::uint8_t saturation;
    std::uint8_t value;
};

Hsv to_hsv(Colour c) {
    const int red = c.channel[0];
    const int green = c.channel[1];
    const int blue = c.channel[2];
    const int most = std::max(red, std::max(green, blue));
    const int least = std::min(red, std::min(green, blue));
    if (most == least) return {0, 0, static_cast<std::uint8_t>(most)};
    const auto range = static_cast<float>(most - least);
    const float saturation = range / static_cast<float>(most);
    const float from_red = static_cast<float>(most - red) / range;
    const float from_green = static_cast<float>(most - green) / range;
    const float from_blue = static_cast<float>(most - blue) / range;
    float hue = 0.0F;
    if (red == most)
        hue = from_blue - from_green;
    else if (green == most)
        hue = static_cast<float>(2.0 + static_cast<double>(from_red) - static_cast<double>(from_blue));
    else
        hue = static_cast<float>(4.0 + static_cast<double>(from_green) - static_cast<double>(from_red));
    double turn = static_cast<double>(hue) / 6.0 + 1.0;  // 5/6 to 2
    turn -= turn >= 2.0 ? 2.0 : (turn >= 1.0 ? 1.0 : 0.0);
    hue = static_cast<float>(turn);
    return {static_cast<std::uint8_t>(static_cast<double>(hue) * 255.0),
            static_cast<std::uint8_t>(static_cast<double>(saturation) * 255.0),
            static_cast<std::uint8_t>(most)};
}

std::uint8_t share(std::uint8_t value, double factor) {
    return static_cast<std::uint8_t>(std::clamp(std::round(static_cast<double>(value) * factor), 0.0, 255.0));
}

Colour from_hsv(Hsv hsv) {
    if (hsv.saturation == 0) return {{hsv.value, hsv.value, hsv.value}};
    const double place = static_cast<double>(hsv.hue) * 6.0 / 255.0;
    const int sector = static_cast<int>(place);
    const auto rest = static_cast<double>(static_cast<float>(place - sector));
    const auto saturation = static_cast<double>(static_cast<float>(hsv.saturation) / 255.0F);
    const std::uint8_t v = hsv.value;
    const std::uint8_t p = share(v, 1.0 - saturation);
    const std::uint8_t q = share(v, 1.0 - saturation * rest);
    const std::uint8_t t = share(v, 1.0 - saturation * (1.0 - rest));
    switch (sector % 6) {
        case 0:
            return {{v, t, p}};
        case 1:
            return {{q, v, p}};
        case 2:
            return {{p, v, t}};
        case 3:
            return {{p, q, v}};
        case 4:
            return {{t, p, v}};
        default:
            return {{v, p, q}};
    }
}

void turn_hue(const Planes& planes, float shift) {
    const auto steps = static_cast<std::uint8_t>(static_cast<int>(static_cast<double>(shift) * 255.0));
    for (int y = 0; y < planes.height; ++y) {
        for (int x = 0; x < planes.width; ++x) {
            Colour colour;
            for (int c = 0; c < 3; ++c) colour.channel[c] = planes.row(c, y)[x];
            Hsv hsv = to_hsv(colour);
            hsv.hue = static_cast<std::uint8_t>(hsv.hue + steps);
            colour = from_hsv(hsv);
            for (int c = 0; c < 3; ++c) planes.row(c, y)[x] = colour.channel[c];
        }
    }
}

void apply_step(Jitter step, const SamplePlan& plan, const Planes& planes) {
    const bool coloured = planes.count == 3;
    switch (step) {
        case Jitter::brightness:
            if (plan.brightness != 1.0F) blend_constant(planes, 0, plan.brightness);
            break;
        case Jitter::contrast:
            if (plan.contrast != 1.0F) blend_constant(planes, mean_grey(planes), plan.contrast);
            break;
        case Jitter::saturation:
            if (coloured && plan.saturation != 1.0F) saturate(planes, plan.saturation);
            break;
        case Jitter::hue:
            if (coloured && plan.hue != 0.0F) turn_hue(planes, plan.hue);
            break;
    }
}

}  // namespace

void apply_jitter(const SamplePlan& plan, const Planes& planes) {
    if (!jitters(plan)) return;
    for (const std::uint8_t step : plan.order) apply_step(static_cast<Jitter>(step), plan, planes);
}

}  // namespace perfmodel::cpu::image
