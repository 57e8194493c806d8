// JPEG images of four components: libjpeg makes CMYK of them, which becomes RGB as in Pillow.
#include <algorithm>

#include "cpu/image/jpeg_state.h"

namespace perfmodel::cpu::image {

namespace {

struct RowBlock {
    int width = 0;
    std::size_t stride = 0;
    std::uint8_t* cmyk = nullptr;  // one row
    std::uint8_t* planes = nullptr;

    std::uint8_t* row(int plane, int r) const {
        return planes + (static_cast<std::size_t>(plane) * kRows + static_cast<std::size_t>(r)) * stride;
    }
};

RowBlock lay_out(JpegDecoder::State& state) {
    RowBlock block;
    block.width = static_cast<int>(state.info.image_width);
    block.stride = round_up(static_cast<std::size_t>(block.width) + kSlack, 64);
    const std::size_t bytes = (static_cast<std::size_t>(kMostPlanes) * kRows + 4) * block.stride;
    block.planes = state.rows.reserve(bytes);
    std::fill_n(block.planes, bytes, std::uint8_t{0});
    block.cmyk = block.planes + static_cast<std::size_t>(kMostPlanes) * kRows * block.stride;
    return block;
}

// Pillow takes all such files to be inverted, as Adobe writes them, and then computes with this rounding.
std::uint8_t ink_to_light(int inverted_ink, int inverted_black) {
    const int product = (255 - inverted_ink) * inverted_black + 128;
    return static_cast<std::uint8_t>(std::max(0, inverted_black - ((product + (product >> 8)) >> 8)));
}

void convert_row(const RowBlock& block, int r) {
    for (int x = 0; x < block.width; ++x) {
        const std::uint8_t* pixel = block.cmyk + 4 * static_cast<std::ptrdiff_t>(x);
        for (int c = 0; c < 3; ++c) block.row(c, r)[x] = ink_to_light(pixel[c], pixel[3]);
    }
}

bool start(JpegDecoder::State& state) {
    return guarded(state, [&state] {
        state.info.out_color_space = JCS_CMYK;
        jpeg_start_decompress(&state.info);
    });
}

bool read_row(JpegDecoder::State& state, const RowBlock& block) {
    JSAMPROW row = block.cmyk;
    return guarded(state, [&state, &row] { jpeg_read_scanlines(&state.info, &row, 1); });
}

}  // namespace

Outcome decode_jpeg_cmyk(JpegDecoder::State& state, const DecodeContext& context) {
    if (!start(state)) return state.outcome;
    const RowBlock block = lay_out(state);
    const int rows = std::min(2 * context.resampler.rows(0).end, static_cast<int>(state.info.image_height));
    for (int y = 0; y < rows; ++y) {
        if (context.cancelled.load(std::memory_order_relaxed)) return cancelled_outcome();
        if (!read_row(state, block)) return state.outcome;
        const int r = y % kRows;
        convert_row(block, r);
        if (r != kRows - 1 && y != rows - 1) continue;
        context.clock.mark(Stage::decode);
        for (int upper = 0; upper <= r; upper += 2)
            for (int p = 0; p < kMostPlanes; ++p)
                context.resampler.push(p, (y - r + upper) / 2, block.row(p, upper), block.row(p, upper + 1));
        context.resampler.flush();
        context.clock.mark(Stage::resample);
    }
    return {};
}

}  // namespace perfmodel::cpu::image
