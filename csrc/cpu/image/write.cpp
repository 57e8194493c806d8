#include "cpu/image/write.h"

#include <algorithm>
#include <cstring>

#include "cpu/image/output.h"

namespace perfmodel::cpu::image {

namespace {

constexpr int kMixed = 3;  // pattern of pixels whose channels lie side by side

}  // namespace

Writer::Writer(const Kernels& kernels, const Target& target)
    : kernels_(kernels), target_(target), element_(element_size(target.type)) {
    for (int c = 0; c < 4; ++c) {
        for (int i = 0; i < kPattern; ++i) {
            const int channel = c == kMixed ? i % target.channels : std::min(c, target.channels - 1);
            scale_[c][i] = output_scale(target, channel);
            shift_[c][i] = output_shift(target, channel);
        }
    }
    const std::uint32_t bits = fill_bits(target);
    std::memcpy(fill_, &bits, sizeof fill_);
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

void Writer::write_planes(const Planes& planes, const CutBox& box, std::byte* out) const {
    const std::size_t row_bytes = static_cast<std::size_t>(target_.width) * element_;
    for (int c = 0; c < planes.count; ++c) {
        for (int y = 0; y < target_.height; ++y, out += row_bytes) {
            convert(planes.row(c, y), target_.width, c, out);
            if (box.covers(y))
                fill(out + static_cast<std::size_t>(box.left) * element_, box.right - box.left);
        }
    }
}

void Writer::write_pixels(const Planes& planes, const CutBox& box, std::byte* out,
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
    const CutBox box = find_cut(plan, target_);
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
