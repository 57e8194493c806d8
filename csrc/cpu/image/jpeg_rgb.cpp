// Plain decoding to RGB, as most programs do it: only to measure against.
#include "cpu/image/jpeg_state.h"

namespace perfmodel::cpu::image {

Outcome decode_jpeg_rgb(JpegDecoder::State& state) {
    const bool started = guarded(state, [&state] {
        state.info.out_color_space = state.info.num_components == 4 ? JCS_CMYK : JCS_RGB;
        jpeg_start_decompress(&state.info);
    });
    if (!started) return state.outcome;
    const std::size_t stride = round_up(static_cast<std::size_t>(state.info.output_width) *
                                            static_cast<std::size_t>(state.info.output_components),
                                        64);
    std::uint8_t* image = state.rows.reserve(stride * state.info.output_height);
    while (state.info.output_scanline < state.info.output_height) {
        JSAMPROW row = image + stride * state.info.output_scanline;
        if (!guarded(state, [&state, &row] { jpeg_read_scanlines(&state.info, &row, 1); }))
            return state.outcome;
    }
    return {};
}

}  // namespace perfmodel::cpu::image
