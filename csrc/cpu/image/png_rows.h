// Rows of a PNG image: undoing their filters and turning their pixels into planes of bytes.
#pragma once

#include "cpu/image/kernels.h"
#include "cpu/image/png_chunks.h"

namespace perfmodel::cpu::image {

// The part of the inflated data that holds one image, or one pass of an interlaced one: rows one after
// another, each a byte that names its filter and then its pixels.
struct PngRows {
    std::uint8_t* data = nullptr;  // of the first row; kSlack bytes around all rows may be read
    int width = 0;
    int height = 0;
    std::size_t bytes = 0;  // of a row, without its first

    std::uint8_t* row(int y) const { return data + static_cast<std::size_t>(y) * (bytes + 1) + 1; }
    std::size_t size() const { return static_cast<std::size_t>(height) * (bytes + 1); }
};

// Undoes the filters of rows `begin` to `end` in place, after those of the rows above; `zeros` stands above
// the first. False where a row names no filter.
bool unfilter_rows(const Kernels& kernels, const PngInfo& info, const PngRows& rows, int begin, int end,
                   const std::uint8_t* zeros);

// Whether pixels are grey, so that there is one plane.
inline bool is_grey(const PngInfo& info) {
    return info.colour == PngColour::grey || info.colour == PngColour::grey_alpha;
}

// Pixels `begin` to `end` of a row to one plane (grey) or three; values below 8 bits are stretched, of 16
// bits the upper half is taken, alpha is dropped. Up to kSlack bytes too many are written.
void split_row(const Kernels& kernels, const PngInfo& info, const std::uint8_t* row, int begin, int end,
               std::uint8_t* const* planes);

// Grey of red, green and blue, as Pillow computes it.
void grey_row(const std::uint8_t* const* planes, int begin, int end, std::uint8_t* grey);

}  // namespace perfmodel::cpu::image
