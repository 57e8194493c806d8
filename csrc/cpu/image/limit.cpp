#include "cpu/image/limit.h"

#include <cstdint>
#include <ctime>
#include <new>

#include "cpu/image/jpeg.h"
#include "cpu/image/jpeg_segments.h"
#include "cpu/image/png.h"

namespace perfmodel::cpu::image {

namespace {

double thread_seconds() {
    timespec time = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Decodes with memory that is there from image to image.
Outcome decode_only([[maybe_unused]] Encoded encoded) {
    [[maybe_unused]] ImageHeader header;
#if defined(PERFMODEL_JPEG)
    if (is_jpeg(encoded)) {
        thread_local JpegDecoder decoder(image_kernels());
        Outcome outcome = decoder.open(encoded, header);
        if (outcome.ok()) outcome = decoder.decode_rgb();
        decoder.close(SIZE_MAX);
        return outcome;
    }
#endif
#if defined(PERFMODEL_PNG)
    if (is_png(encoded)) {
        thread_local PngDecoder decoder(image_kernels());
        const Outcome outcome = decoder.open(encoded, header);
        return outcome.ok() ? decoder.unfilter() : outcome;
    }
#endif
    return failure(Status::unknown, "is not an image of a format that this build reads");
}

}  // namespace

Outcome time_decoding(Encoded encoded, double& seconds) {
    const double start = thread_seconds();
    Outcome outcome;
    try {
        outcome = decode_only(encoded);
    } catch (const std::bad_alloc&) {
        outcome = failure(Status::no_memory, "there is not enough memory");
    }
    seconds = thread_seconds() - start;
    return outcome;
}

}  // namespace perfmodel::cpu::image
