// The passes of the resize for 64-bit Arm.
#include "cpu/image/kernels.h"
#include "cpu/image/kernels_neon.h"

#if defined(PERFMODEL_NEON)

#include <arm_neon.h>

#include <algorithm>

namespace perfmodel::cpu::image {

namespace {

// Rows become columns: four rounds that interleave the first half of the vectors with the second.
void transpose16(uint8x16_t* v) {
    for (int round = 0; round < 4; ++round) {
        uint8x16_t mixed[kRows];
        for (int i = 0; i < kRows / 2; ++i) {
            mixed[2 * i] = vzip1q_u8(v[i], v[i + kRows / 2]);
            mixed[2 * i + 1] = vzip2q_u8(v[i], v[i + kRows / 2]);
        }
        std::copy_n(mixed, kRows, v);
    }
}

// For each column 16 values of 16 bits: two columns are a pair.
void gather(const std::uint8_t* const* rows, int first, int pairs, std::uint8_t* out) {
    for (int p = 0; p < pairs; p += 8) {
        uint8x16_t v[kRows];
        for (int r = 0; r < kRows; ++r) v[r] = vld1q_u8(rows[r] + 2 * static_cast<std::ptrdiff_t>(first + p));
        transpose16(v);
        auto* at = reinterpret_cast<std::uint16_t*>(out + static_cast<std::ptrdiff_t>(p) * kGathered);
        for (int c = 0; c < kRows; ++c, at += kRows) {
            vst1q_u16(at, vmovl_u8(vget_low_u8(v[c])));
            vst1q_u16(at + 8, vmovl_high_u8(v[c]));
        }
    }
}

// Adds a column of 16 rows times a weight.
void add_column(int32x4_t* sums, const std::int16_t* column, std::int16_t weight) {
    for (int half = 0; half < 2; ++half) {
        const int16x8_t values = vld1q_s16(column + 8 * half);
        sums[2 * half] = vmlal_n_s16(sums[2 * half], vget_low_s16(values), weight);
        sums[2 * half + 1] = vmlal_high_n_s16(sums[2 * half + 1], values, weight);
    }
}

// One output of 16 rows; two vectors of four row pairs.
template <bool pixel>
void sum_taps(const std::uint8_t* at, const std::int16_t* weights, int pairs, int drop,
              int32x4_t* row_pairs) {
    const int32x4_t half = vdupq_n_s32(drop > 0 ? 1 << (drop - 1) : 0);
    const int32x4_t right = vdupq_n_s32(-drop);
    int32x4_t sums[4] = {half, half, half, half};
    for (int p = 0; p < pairs; ++p, at += kGathered) {
        const auto* column = reinterpret_cast<const std::int16_t*>(at);
        add_column(sums, column, weights[2 * p]);
        add_column(sums, column + kRows, weights[2 * p + 1]);
    }
    for (int i = 0; i < 2; ++i) {
        int16x8_t values = vcombine_s16(vqmovn_s32(vshlq_s32(sums[2 * i], right)),
                                        vqmovn_s32(vshlq_s32(sums[2 * i + 1], right)));
        if (pixel)
            values = vshlq_n_s16(vminq_s16(vmaxq_s16(values, vdupq_n_s16(0)), vdupq_n_s16(255)), kFraction);
        row_pairs[i] = vreinterpretq_s32_s16(values);
    }
}

// Four outputs of four row pairs each to four rows.
void store_row_pairs(const int32x4_t* v, RowPair* const* out, int x) {
    const int64x2_t low01 = vreinterpretq_s64_s32(vzip1q_s32(v[0], v[1]));
    const int64x2_t low23 = vreinterpretq_s64_s32(vzip1q_s32(v[2], v[3]));
    const int64x2_t high01 = vreinterpretq_s64_s32(vzip2q_s32(v[0], v[1]));
    const int64x2_t high23 = vreinterpretq_s64_s32(vzip2q_s32(v[2], v[3]));
    vst1q_s32(out[0] + x, vreinterpretq_s32_s64(vzip1q_s64(low01, low23)));
    vst1q_s32(out[1] + x, vreinterpretq_s32_s64(vzip2q_s64(low01, low23)));
    vst1q_s32(out[2] + x, vreinterpretq_s32_s64(vzip1q_s64(high01, high23)));
    vst1q_s32(out[3] + x, vreinterpretq_s32_s64(vzip2q_s64(high01, high23)));
}

template <bool pixel>
void horizontal(const std::uint8_t* gathered, int first, const TapView& view, RowPair* const* out) {
    const int drop = pixel ? view.shift : view.shift - kFraction;
    for (int x = 0; x < view.outputs; x += 4) {
        int32x4_t upper[4];
        int32x4_t lower[4];
        for (int i = 0; i < 4; ++i) {
            const int output = std::min(x + i, view.outputs - 1);
            const std::uint8_t* at =
                gathered + static_cast<std::ptrdiff_t>(view.start_of(output) - first) * kGathered;
            int32x4_t both[2];
            sum_taps<pixel>(at, view.weights_of(output), view.pairs, drop, both);
            upper[i] = both[0];
            lower[i] = both[1];
        }
        store_row_pairs(upper, out, x);
        store_row_pairs(lower, out + 4, x);
    }
}

void horizontal_any(const std::uint8_t* gathered, int first, const TapView& view, bool pixel,
                    RowPair* const* out) {
    if (pixel)
        horizontal<true>(gathered, first, view, out);
    else
        horizontal<false>(gathered, first, view, out);
}

// Eight columns, rounded, shifted and clipped to 16 bits.
int16x8_t sum_rows(const RowPair* rows, std::ptrdiff_t stride, const std::int16_t* weights, int pairs,
                   int drop) {
    const int32x4_t half = vdupq_n_s32(drop > 0 ? 1 << (drop - 1) : 0);
    const int32x4_t right = vdupq_n_s32(-drop);
    int32x4_t low = half;
    int32x4_t high = half;
    for (int p = 0; p < pairs; ++p, rows += stride) {
        const int16x8x2_t both = vld2q_s16(reinterpret_cast<const std::int16_t*>(rows));
        for (int row = 0; row < 2; ++row) {
            low = vmlal_n_s16(low, vget_low_s16(both.val[row]), weights[2 * p + row]);
            high = vmlal_high_n_s16(high, both.val[row], weights[2 * p + row]);
        }
    }
    return vcombine_s16(vqmovn_s32(vshlq_s32(low, right)), vqmovn_s32(vshlq_s32(high, right)));
}

void vertical_fine(const RowPair* rows, std::ptrdiff_t stride, const std::int16_t* weights, int pairs,
                   int shift, int width, std::int16_t* out) {
    for (int x = 0; x < width; x += 8) vst1q_s16(out + x, sum_rows(rows + x, stride, weights, pairs, shift));
}

void vertical_byte(const RowPair* rows, std::ptrdiff_t stride, const std::int16_t* weights, int pairs,
                   int shift, int width, std::uint8_t* out) {
    for (int x = 0; x < width; x += 8)
        vst1_u8(out + x, vqmovun_s16(sum_rows(rows + x, stride, weights, pairs, shift + kFraction)));
}

}  // namespace

const Kernels* neon_image_kernels() {
    static const Kernels kernels = {
        "neon",       gather,         horizontal_any, vertical_fine,     vertical_byte,    neon::colour,
        neon::split3, neon::split4,   neon::join3,    neon::write_float, neon::write_half, neon::write_bfloat,
        nullptr,      neon::unfilter,
    };
    return &kernels;
}

}  // namespace perfmodel::cpu::image

#else

namespace perfmodel::cpu::image {

const Kernels* neon_image_kernels() {
    return nullptr;
}

}  // namespace perfmodel::cpu::image

#endif  // PERFMODEL_NEON
