// The portable version: what the others have to reproduce bit by bit.
#include "cpu/image/kernels.h"
#include "cpu/image/pixel_math.h"

namespace perfmodel::cpu::image {

namespace {

void gather(const std::uint8_t* const* rows, int first, int pairs, std::uint8_t* out) {
    for (int p = 0; p < pairs; ++p) {
        for (int r = 0; r < kRows; ++r) {
            std::memcpy(out, rows[r] + 2 * static_cast<std::ptrdiff_t>(first + p), 2);
            out += 2;
        }
    }
}

void sum_taps(const std::uint8_t* at, const std::int16_t* weights, int pairs, std::int32_t* sums) {
    for (int r = 0; r < kRows; ++r) sums[r] = 0;
    for (int p = 0; p < pairs; ++p) {
        for (int r = 0; r < kRows; ++r)
            sums[r] += at[2 * r] * weights[2 * p] + at[2 * r + 1] * weights[2 * p + 1];
        at += 2 * kRows;
    }
}

RowPair join_rows(std::int16_t upper, std::int16_t lower) {
    const std::int16_t both[2] = {upper, lower};
    RowPair pair = 0;
    std::memcpy(&pair, both, sizeof pair);
    return pair;
}

void horizontal(const std::uint8_t* gathered, int first, const TapView& view, bool pixel,
                RowPair* const* out) {
    const int drop = pixel ? view.shift : view.shift - kFraction;
    const std::int32_t half = drop > 0 ? 1 << (drop - 1) : 0;
    for (int x = 0; x < view.outputs; ++x) {
        std::int32_t sums[kRows];
        sum_taps(gathered + static_cast<std::ptrdiff_t>(view.start_of(x) - first) * 2 * kRows,
                 view.weights_of(x), view.pairs, sums);
        std::int16_t values[kRows];
        for (int r = 0; r < kRows; ++r) {
            const std::int32_t value = (sums[r] + half) >> drop;
            values[r] = pixel ? static_cast<std::int16_t>(saturate8(value) << kFraction) : saturate16(value);
        }
        for (int q = 0; q < kRowPairs; ++q) out[q][x] = join_rows(values[2 * q], values[2 * q + 1]);
    }
}

std::int32_t sum_rows(const RowPair* column, std::ptrdiff_t stride, const std::int16_t* weights, int pairs) {
    std::int32_t sum = 0;
    for (int p = 0; p < pairs; ++p) {
        std::int16_t both[2];
        std::memcpy(both, column + p * stride, sizeof both);
        sum += both[0] * weights[2 * p] + both[1] * weights[2 * p + 1];
    }
    return sum;
}

void vertical_fine(const RowPair* rows, std::ptrdiff_t stride, const std::int16_t* weights, int pairs,
                   int shift, int width, std::int16_t* out) {
    const std::int32_t half = shift > 0 ? 1 << (shift - 1) : 0;
    for (int x = 0; x < width; ++x)
        out[x] = saturate16((sum_rows(rows + x, stride, weights, pairs) + half) >> shift);
}

void vertical_byte(const RowPair* rows, std::ptrdiff_t stride, const std::int16_t* weights, int pairs,
                   int shift, int width, std::uint8_t* out) {
    const int drop = shift + kFraction;
    for (int x = 0; x < width; ++x)
        out[x] = saturate8((sum_rows(rows + x, stride, weights, pairs) + (1 << (drop - 1))) >> drop);
}

std::uint8_t round_fraction(std::int32_t value) {
    return saturate8(saturate16(value + (1 << (kFraction - 1))) >> kFraction);
}

void colour(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr, int width,
            std::uint8_t* red, std::uint8_t* green, std::uint8_t* blue) {
    for (int x = 0; x < width; ++x) {
        const std::int16_t b = saturate16(cb[x] - (128 << kFraction));
        const std::int16_t r = saturate16(cr[x] - (128 << kFraction));
        red[x] = round_fraction(saturate16(saturate16(y[x] + r) + scale16(r, kRedCr)));
        green[x] = round_fraction(saturate16(saturate16(y[x] - scale16(b, kGreenCb)) - scale16(r, kGreenCr)));
        blue[x] = round_fraction(saturate16(saturate16(saturate16(y[x] + b) + b) - scale16(b, kBlueCb)));
    }
}

template <int bytes>
void split(const std::uint8_t* pixels, int count, std::uint8_t* const* planes) {
    for (int i = 0; i < count; ++i)
        for (int c = 0; c < 3; ++c) planes[c][i] = pixels[static_cast<std::ptrdiff_t>(i) * bytes + c];
}

void join3(const std::uint8_t* const* planes, int count, std::uint8_t* pixels) {
    for (int i = 0; i < count; ++i)
        for (int c = 0; c < 3; ++c) pixels[static_cast<std::ptrdiff_t>(i) * 3 + c] = planes[c][i];
}

// Two statements, and the file is built without contraction: rounded after each.
float normalise(std::uint8_t value, float scale, float shift) {
    const float product = static_cast<float>(value) * scale;
    return product + shift;
}

void write_float(const std::uint8_t* in, int count, const float* scale, const float* shift, float* out) {
    for (int i = 0; i < count; ++i) out[i] = normalise(in[i], scale[i % kPattern], shift[i % kPattern]);
}

void write_half(const std::uint8_t* in, int count, const float* scale, const float* shift,
                std::uint16_t* out) {
    for (int i = 0; i < count; ++i)
        out[i] = half_bits(normalise(in[i], scale[i % kPattern], shift[i % kPattern]));
}

void write_bfloat(const std::uint8_t* in, int count, const float* scale, const float* shift,
                  std::uint16_t* out) {
    for (int i = 0; i < count; ++i)
        out[i] = bfloat_bits(normalise(in[i], scale[i % kPattern], shift[i % kPattern]));
}

void unfilter_row(int filter, std::uint8_t* row, const std::uint8_t* above, std::size_t bytes,
                  std::size_t step) {
    for (std::size_t i = 0; i < bytes; ++i) {
        const int left = i >= step ? row[i - step] : 0;
        const int corner = i >= step ? above[i - step] : 0;
        int predicted = 0;
        if (filter == 1) predicted = left;
        if (filter == 2) predicted = above[i];
        if (filter == 3) predicted = (left + above[i]) / 2;
        if (filter == 4) predicted = paeth(left, above[i], corner);
        row[i] = static_cast<std::uint8_t>(row[i] + predicted);
    }
}

void unfilter(std::uint8_t* rows, int count, std::size_t bytes, int step, const std::uint8_t* above) {
    for (int r = 0; r < count; ++r) {
        if (rows[0] != 0) unfilter_row(rows[0], rows + 1, above, bytes, static_cast<std::size_t>(step));
        above = rows + 1;
        rows += bytes + 1;
    }
}

}  // namespace

const Kernels& scalar_image_kernels() {
    static const Kernels kernels = {
        "scalar", gather, horizontal,  vertical_fine, vertical_byte, colour,  split<3>,
        split<4>, join3,  write_float, write_half,    write_bfloat,  nullptr, unfilter,
    };
    return kernels;
}

}  // namespace perfmodel::cpu::image
