#include "cpu/image/jitter.h"

#include "preprocess/colour.h"

namespace perfmodel::cpu::image {

namespace {

using preprocess::blend;
using preprocess::Colour;

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
    return preprocess::mean_grey(
        sum, static_cast<std::uint64_t>(planes.width) * static_cast<std::uint64_t>(planes.height));
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

void turn_hue(const Planes& planes, float shift) {
    const std::uint8_t steps = preprocess::hue_steps(shift);
    for (int y = 0; y < planes.height; ++y) {
        std::uint8_t* red = planes.row(0, y);
        std::uint8_t* green = planes.row(1, y);
        std::uint8_t* blue = planes.row(2, y);
        for (int x = 0; x < planes.width; ++x) {
            const Colour colour = preprocess::turn_hue({red[x], green[x], blue[x]}, steps);
            red[x] = colour.red;
            green[x] = colour.green;
            blue[x] = colour.blue;
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
