#include "cpu/image/png_rows.h"

#include <algorithm>

#include "cpu/image/luma.h"

namespace perfmodel::cpu::image {

namespace {

// Sample `i` of a row of samples of less than 8 bits.
unsigned packed_sample(const std::uint8_t* row, int i, int depth) {
    const std::size_t bit = static_cast<std::size_t>(i) * static_cast<std::size_t>(depth);
    const unsigned shift = 8U - static_cast<unsigned>(depth) - static_cast<unsigned>(bit % 8);
    return (static_cast<unsigned>(row[bit / 8]) >> shift) & ((1U << depth) - 1U);
}

void split_packed(const PngInfo& info, const std::uint8_t* row, int begin, int end,
                  std::uint8_t* const* planes) {
    const bool palette = info.colour == PngColour::palette;
    const unsigned stretch = info.depth < 8 ? 255U / ((1U << info.depth) - 1U) : 1U;
    for (int x = begin; x < end; ++x) {
        const unsigned sample = info.depth < 8 ? packed_sample(row, x, info.depth) : row[x];
        if (palette)
            for (int c = 0; c < 3; ++c) planes[c][x] = info.palette[sample][c];
        else
            planes[0][x] = static_cast<std::uint8_t>(sample * stretch);
    }
}

}  // namespace

bool unfilter_rows(const Kernels& kernels, const PngInfo& info, const PngRows& rows, int begin, int end,
                   const std::uint8_t* zeros) {
    if (begin >= end) return true;
    for (int y = begin; y < end; ++y)
        if (rows.row(y)[-1] > 4) return false;
    const std::uint8_t* above = begin > 0 ? rows.row(begin - 1) : zeros;
    kernels.unfilter(rows.row(begin) - 1, end - begin, rows.bytes, std::max(1, info.pixel_bits() / 8), above);
    return true;
}

void split_row(const Kernels& kernels, const PngInfo& info, const std::uint8_t* row, int begin, int end,
               std::uint8_t* const* planes) {
    if (info.depth < 8 || info.colour == PngColour::palette) {
        split_packed(info, row, begin, end, planes);
        return;
    }
    const int count = is_grey(info) ? 1 : 3;
    const std::ptrdiff_t step = info.pixel_bits() / 8;
    if (count == 3 && info.depth == 8) {
        std::uint8_t* const moved[3] = {planes[0] + begin, planes[1] + begin, planes[2] + begin};
        (step == 3 ? kernels.split3 : kernels.split4)(row + begin * step, end - begin, moved);
        return;
    }
    const std::ptrdiff_t sample = info.depth / 8;
    for (int c = 0; c < count; ++c)
        for (int x = begin; x < end; ++x) planes[c][x] = row[x * step + c * sample];
}

void grey_row(const std::uint8_t* const* planes, int begin, int end, std::uint8_t* grey) {
    for (int x = begin; x < end; ++x) grey[x] = luma(planes[0][x], planes[1][x], planes[2][x]);
}

}  // namespace perfmodel::cpu::image
