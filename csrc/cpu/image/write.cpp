#include "cpu/image/write.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/image/pixel_math.h"

namespace perfmodel::cpu::image {

// The cut-out: rows and columns of the output, none where it is off.
struct Writer::Box {
    int top = 0;
    int bottom = 0;
    int left = 0;
    int right = 0;

    bool covers(int y) const { return y >= top && y < bottom && left < right; }
};

namespace {

constexpr int kMixed = 3;  // pattern of pixels whose channels lie side by side

// Edge of the cut-out in pixels, within the output; its place is a sum of shares of the size.
int edge(float start, float length, int size) {
    const double share = static_cast<double>(start) + static_cast<double>(length);
    const double place = std::floor(share * size + 0.5);
    return place > 0.0 ? static_cast<int>(std::min(place, static_cast<double>(size))) : 0;
}

}  // namespace

Writer::Writer(const Kernels& kernels, const Target& target)
    : kernels_(kernels), target_(target), element_(element_size(target.type)) {
    for (int c = 0; c < 4; ++c) {
        for (int i = 0; i < kPattern; ++i) {
            const int channel = c == kMixed ? i % target.channels : std::min(c, target.channels - 1);
            const double spread = static_cast<double>(target.std[channel]);
            scale_[c][i] = static_cast<float>(1.0 / (255.0 * spread));
            shift_[c][i] = static_cast<float>(-static_cast<double>(target.mean[channel]) / spread);
        }
    }
    const float value = target.cut_fill;
    const std::uint16_t half = target.type == ElementType::float16 ? half_bits(value) : bfloat_bits(value);
    const auto byte = static_cast<std::uint8_t>(std::nearbyint(std::clamp(value, 0.0F, 255.0F)));
    if (target.type == ElementType::float32)
        std::memcpy(fill_, &value, sizeof value);
    else if (target.type == ElementType::uint8)
        fill_[0] = byte;
    else
        std::memcpy(fill_, &half, sizeof half);
}

void Writer::convert(const std::uint8_t* in, int count, int channel, std::byte* out) const {
    const float* scale = scale_[channel];
    const float* shift = shift_[channel];
    switch (target_.type) {
        case ElementType::float32:
            kernels_.write_float(in, count, scale, shift, reinterpret_cast<float*>(out));
            break;
        case ElementType::float16:
            kernels_.write_half(in, count, scale, shift, reinterpret_cast<std::uint16_t*>(out));
            break;
        case ElementType::uint8:
            std::memcpy(out, in, static_cast<std::size_t>(count));
            break;
        default:
            kernels_.write_bfloat(in, count, scale, shift, reinterpret_cast<std::uint16_t*>(out));
            break;
    }
}

void Writer::fill(std::byte* out, int count) const {
    for (int i = 0; i < count; ++i)
        std::memcpy(out + static_cast<std::size_t>(i) * element_, fill_, element_);
}

void Writer::write_planes(const Planes& planes, const Box& box, std::byte* out) const {
    const std::size_t row_bytes = static_cast<std::size_t>(target_.width) * element_;
    for (int c = 0; c < planes.count; ++c) {
        for (int y = 0; y < target_.height; ++y, out += row_bytes) {
            convert(planes.row(c, y), target_.width, c, out);
            if (box.covers(y))
                fill(out + static_cast<std::size_t>(box.left) * element_, box.right - box.left);
        }
    }
}

void Writer::write_pixels(const Planes& planes, const Box& box, std::byte* out,
                          Buffer<std::uint8_t>& line) const {
    const int channels = planes.count;
    const std::size_t row_bytes = static_cast<std::size_t>(target_.width * channels) * element_;
    std::uint8_t* joined = line.reserve(static_cast<std::size_t>(target_.width * channels) + kSlack);
    for (int y = 0; y < target_.height; ++y, out += row_bytes) {
        const std::uint8_t* const rows[3] = {planes.row(0, y), planes.row(1, y), planes.row(2, y)};
        kernels_.join3(rows, target_.width, joined);
        convert(joined, target_.width * channels, kMixed, out);
        if (box.covers(y))
            fill(out + static_cast<std::size_t>(box.left * channels) * element_,
                 (box.right - box.left) * channels);
    }
}

void Writer::write(const Planes& planes, const SamplePlan& plan, std::size_t index,
                   Buffer<std::uint8_t>& line) const {
    Box box;
    if (plan.cut_h > 0.0F) {
        box.top = edge(plan.cut_y, 0.0F, target_.height);
        box.bottom = edge(plan.cut_y, plan.cut_h, target_.height);
        box.left = edge(plan.cut_x, 0.0F, target_.width);
        box.right = edge(plan.cut_x, plan.cut_w, target_.width);
    }
    std::byte* out = target_.data + index * target_.sample_bytes();
    if (target_.channels_last && planes.count == 3)
        write_pixels(planes, box, out, line);
    else
        write_planes(planes, box, out);
}

void Writer::clear(std::size_t index) const {
    std::memset(target_.data + index * target_.sample_bytes(), 0, target_.sample_bytes());
}

}  // namespace perfmodel::cpu::image
