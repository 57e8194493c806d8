// JPEG files, by libjpeg-turbo where they are not of the most common kind: decoded to planes as they are
// stored, without upsampling or colour conversion, which the resampler's weights and the output take over.
#pragma once

#include <memory>

#include "cpu/image/decoder.h"

namespace perfmodel::cpu::image {

class BaselineDecoder;

// One decoder, used for image after image.
class JpegDecoder {
  public:
    explicit JpegDecoder(const Kernels& kernels);
    ~JpegDecoder();
    JpegDecoder(const JpegDecoder&) = delete;
    JpegDecoder& operator=(const JpegDecoder&) = delete;

    // Reads the header of a file; its bytes have to stay until the next open(). An image that is still open
    // is closed.
    Outcome open(Encoded encoded, ImageHeader& header);

    // How many planes decode() gives (1 or 3), how they lie, and what they hold.
    int planes(PlaneSampling* sampling, Colours& colours) const;

    // Decodes as far as the resampler, which has begun the image, needs. Throws std::bad_alloc.
    Outcome decode(const DecodeContext& context);

    // Decodes the whole image to RGB and nothing else: what other loaders begin with. Throws std::bad_alloc.
    Outcome decode_rgb();

    // Lets go of the file and of libjpeg's memory for it, and gives own memory back beyond `most` bytes.
    void close(std::size_t most);

    struct State;

  private:
    std::unique_ptr<State> state_;
    std::unique_ptr<BaselineDecoder> baseline_;
};

// The size of a JPEG file without decoding anything; reads no more than the segments before the first scan.
// Fails with Status::corrupt where `encoded` ends before.
Outcome read_jpeg_header(Encoded encoded, ImageHeader& header);

}  // namespace perfmodel::cpu::image
