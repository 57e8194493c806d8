// The chunks of a PNG file (W3C PNG, third edition) that matter here.
#pragma once

#include "cpu/image/decoder.h"

namespace perfmodel::cpu::image {

enum class PngColour : std::uint8_t { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgb_alpha = 6 };

struct PngInfo {
    int width = 0;
    int height = 0;
    int depth = 0;  // bits of a sample
    PngColour colour = PngColour::grey;
    bool interlaced = false;
    std::uint8_t palette[256][3] = {};  // colours that the file lacks are black, as in Pillow
    int orientation = 1;
    const std::uint8_t* data = nullptr;  // contents of the first IDAT
    std::size_t first_bytes = 0;         // its length
    std::size_t data_bytes = 0;          // of all IDAT together
    int data_chunks = 0;

    int samples() const;  // of a pixel
    int pixel_bits() const { return samples() * depth; }
    // Bytes of a row of that many pixels, without the filter byte.
    std::size_t row_bytes(int pixels) const {
        return (static_cast<std::size_t>(pixels) * static_cast<std::size_t>(pixel_bits()) + 7) / 8;
    }
};

// Reads signature and IHDR.
Outcome read_png_info(Encoded encoded, PngInfo& info);

// Reads all chunks, after read_png_info().
Outcome read_png_chunks(Encoded encoded, PngInfo& info);

// Copies the contents of all IDAT chunks to `out`, which has room for info.data_bytes.
void join_png_data(const PngInfo& info, std::uint8_t* out);

}  // namespace perfmodel::cpu::image
