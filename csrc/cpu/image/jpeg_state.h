// The libjpeg side of the JPEG decoder: its errors come back as outcomes. libjpeg reports errors by longjmp,
// so every call of it goes through guarded(), whose frame holds nothing that needs a destructor.
#pragma once

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it and does not include it

extern "C" {
#include <jpeglib.h>
// After jpeglib.h, whose macros it asks.
#include <jerror.h>
}

#include "cpu/image/jpeg.h"
#include "cpu/image/memory.h"

namespace perfmodel::cpu::image {

struct JpegDecoder::State {
    jpeg_decompress_struct info;
    jpeg_error_mgr errors;
    jpeg_progress_mgr progress;
    std::jmp_buf jump;
    Outcome outcome;
    bool created = false;
    bool open = false;
    Buffer<std::uint8_t> rows;
};

// Calls libjpeg; false where it failed, with the reason in state.outcome.
template <typename Call>
bool guarded(JpegDecoder::State& state, const Call& call) {
    state.outcome = Outcome();
    if (setjmp(state.jump) != 0) return false;
    call();
    return true;
}

// Installs the handlers of errors and warnings and creates the decoder.
bool create_jpeg(JpegDecoder::State& state);

// Gives the planes of an image with 1 or 3 components to the resampler.
Outcome decode_jpeg_planes(JpegDecoder::State& state, const DecodeContext& context);

// Gives an image with 4 components to the resampler as red, green and blue.
Outcome decode_jpeg_cmyk(JpegDecoder::State& state, const DecodeContext& context);

// Decodes the whole image to RGB (four components: CMYK) in memory of the state.
Outcome decode_jpeg_rgb(JpegDecoder::State& state);

// After all that is needed was read: the end of the image has to be there as well.
Outcome check_jpeg_end(JpegDecoder::State& state);

}  // namespace perfmodel::cpu::image
