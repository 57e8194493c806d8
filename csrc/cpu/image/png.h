// PNG files: own reading of chunks and undoing of row filters around libdeflate.
#pragma once

#include <memory>

#include "cpu/image/decoder.h"

namespace perfmodel::cpu::image {

// One decoder, used for image after image.
class PngDecoder {
  public:
    explicit PngDecoder(const Kernels& kernels);
    ~PngDecoder();
    PngDecoder(const PngDecoder&) = delete;
    PngDecoder& operator=(const PngDecoder&) = delete;

    // Reads everything up to the end of the image data; the bytes have to stay until decode() is done.
    Outcome open(Encoded encoded, ImageHeader& header);

    // The EXIF orientation that the file states, else 1.
    int orientation() const;

    // How many planes decode() gives: 1 for grey images and where `grey` asks to convert, else 3.
    int planes(bool grey) const;

    // Gives red, green and blue, or grey, to the resampler, which has begun the image. Throws std::bad_alloc.
    Outcome decode(const DecodeContext& context, bool grey);

    // Inflates the image and undoes its row filters, and nothing else. Throws std::bad_alloc.
    Outcome unfilter();

    // Gives memory back beyond `most` bytes.
    void trim(std::size_t most);

    struct State;

  private:
    std::unique_ptr<State> state_;
};

// Whether data begins with PNG's signature.
bool is_png(Encoded encoded);

// The size of a PNG file by its first bytes. Fails with Status::corrupt where `encoded` ends before.
Outcome read_png_header(Encoded encoded, ImageHeader& header);

}  // namespace perfmodel::cpu::image
