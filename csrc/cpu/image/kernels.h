// The inner loops of loading images, once for each instruction set. All are integer or rounded step by step,
// so that every instruction set gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/image/taps.h"

namespace perfmodel::cpu::image {

constexpr int kRows = 16;           // rows that a horizontal pass takes together
constexpr int kRowPairs = 8;        // the same in pairs
constexpr int kGathered = 64;       // bytes that a pair of columns takes at most after gathering
constexpr int kFraction = 6;        // bits of fraction between the passes
constexpr std::size_t kSlack = 64;  // bytes that may be read, and written in outputs, behind a row
constexpr int kLanes = 32;          // widths of rows in memory are multiples of this
constexpr int kPattern = 48;        // values of a scale and shift pattern: whole pixels and whole vectors

// Two neighbouring rows of 16-bit values, column by column: (upper, lower), (upper, lower), ...
using RowPair = std::int32_t;

struct Kernels {
    const char* name;  // as in cpu/isa.h

    // From 16 rows of bytes, columns 2 * first and following: for each pair of columns the 16 pairs of
    // values, as this instruction set's horizontal pass wants them. Reads and writes up to 8 pairs of columns
    // more.
    void (*gather)(const std::uint8_t* const* rows, int first, int pairs, std::uint8_t* out);

    // Horizontal pass over what `gather` gave from pair `first` on. Writes 8 row pairs of
    // view.outputs values, up to 15 more. `pixel` clips to what a byte holds and drops the fraction, as
    // Pillow does between its passes.
    void (*horizontal)(const std::uint8_t* gathered, int first, const TapView& view, bool pixel,
                       RowPair* const* out);

    // Vertical pass over `pairs` row pairs that lie `stride` values apart, to 16-bit values with kFraction
    // bits of fraction or to bytes. The width is rounded up to kLanes.
    void (*vertical_fine)(const RowPair* rows, std::ptrdiff_t stride, const std::int16_t* weights, int pairs,
                          int shift, int width, std::int16_t* out);
    void (*vertical_byte)(const RowPair* rows, std::ptrdiff_t stride, const std::int16_t* weights, int pairs,
                          int shift, int width, std::uint8_t* out);

    // JFIF YCbCr with kFraction bits of fraction to bytes of red, green and blue; width rounded up to kLanes.
    void (*colour)(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr, int width,
                   std::uint8_t* red, std::uint8_t* green, std::uint8_t* blue);

    // Pixels of 3 or 4 bytes to planes of the first three; may write kSlack bytes too many.
    void (*split3)(const std::uint8_t* pixels, int count, std::uint8_t* const* planes);
    void (*split4)(const std::uint8_t* pixels, int count, std::uint8_t* const* planes);
    // Three planes to pixels of 3 bytes.
    void (*join3)(const std::uint8_t* const* planes, int count, std::uint8_t* pixels);

    // out[i] = in[i] * scale[i % kPattern] + shift[i % kPattern], rounded after each step.
    void (*write_float)(const std::uint8_t* in, int count, const float* scale, const float* shift,
                        float* out);
    void (*write_half)(const std::uint8_t* in, int count, const float* scale, const float* shift,
                       std::uint16_t* out);
    void (*write_bfloat)(const std::uint8_t* in, int count, const float* scale, const float* shift,
                         std::uint16_t* out);

    // Inverse cosine transforms of two blocks of JPEG coefficients in rows, times their quantisation steps,
    // to 8 x 8 bytes each in rows as far apart as `strides` say; with the bits of libjpeg-turbo's vector code
    // for its default method ("islow"). Null where libjpeg decodes whole images instead.
    void (*inverse_cosine)(const std::int16_t* const* blocks, const std::uint16_t* const* steps,
                           std::uint8_t* const* out, const std::ptrdiff_t* strides);

    // Undoes PNG's row filters in place. Row r begins at `rows` + r * (bytes + 1) with the byte that names
    // its filter (0 to 4, checked before); `bytes` bytes of pixels of `step` bytes (1, 2, 3, 4, 6 or 8)
    // follow. `above` are the pixels of the row above. Around rows and above kSlack bytes may be read.
    void (*unfilter)(std::uint8_t* rows, int count, std::size_t bytes, int step, const std::uint8_t* above);
};

const Kernels& scalar_image_kernels();
const Kernels* avx2_image_kernels();    // null where this build has none
const Kernels* avx512_image_kernels();  // those of AVX2 on processors that lack the parts for bytes and words
const Kernels* neon_image_kernels();    // null where this build has none

// The kernels of the instruction set that cpu::active() chose.
const Kernels& image_kernels();

}  // namespace perfmodel::cpu::image
