// The passes of the resize with AVX2.
#include "cpu/image/kernels.h"
#include "cpu/image/kernels_avx2.h"

#if defined(PERFMODEL_X86)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

namespace perfmodel::cpu::image {

namespace avx2 {

namespace {

PERFMODEL_IMAGE_AVX2 inline __m128i load16(const void* at) {
    return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

// Columns of 8 x 8 16-bit values in each half: value r of result c was value c of row r.
PERFMODEL_IMAGE_AVX2 inline void transpose8(const __m256i* rows, __m256i* columns) {
    __m256i a[8];
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = _mm256_unpacklo_epi16(rows[2 * i], rows[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi16(rows[2 * i], rows[2 * i + 1]);
    }
    __m256i b[8];
    for (int half = 0; half < 2; ++half) {
        const __m256i* from = a + 4 * half;
        b[4 * half] = _mm256_unpacklo_epi32(from[0], from[2]);
        b[4 * half + 1] = _mm256_unpackhi_epi32(from[0], from[2]);
        b[4 * half + 2] = _mm256_unpacklo_epi32(from[1], from[3]);
        b[4 * half + 3] = _mm256_unpackhi_epi32(from[1], from[3]);
    }
    for (int i = 0; i < 4; ++i) {
        columns[2 * i] = _mm256_unpacklo_epi64(b[i], b[4 + i]);
        columns[2 * i + 1] = _mm256_unpackhi_epi64(b[i], b[4 + i]);
    }
}

}  // namespace

// Pairs of bytes are 16-bit values to the transposition; then bytes become 16-bit values themselves: for each
// pair of columns two vectors, rows 0 to 7 and 8 to 15.
PERFMODEL_IMAGE_AVX2 void gather(const std::uint8_t* const* rows, int first, int pairs, std::uint8_t* out) {
    for (int p = 0; p < pairs; p += 8) {
        const std::ptrdiff_t column = 2 * static_cast<std::ptrdiff_t>(first + p);
        __m256i loaded[8];
        for (int r = 0; r < 8; ++r)
            loaded[r] = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(rows[r] + column)),
                                                load16(rows[r + 8] + column), 1);
        __m256i columns[8];
        transpose8(loaded, columns);
        auto* at = reinterpret_cast<__m256i*>(out + static_cast<std::ptrdiff_t>(p) * kGathered);
        for (int c = 0; c < 8; ++c) {
            _mm256_storeu_si256(at + 2 * c, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(columns[c])));
            _mm256_storeu_si256(at + 2 * c + 1,
                                _mm256_cvtepu8_epi16(_mm256_extracti128_si256(columns[c], 1)));
        }
    }
}

namespace {

PERFMODEL_IMAGE_AVX2 inline __m256i load32(const void* at) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

PERFMODEL_IMAGE_AVX2 inline __m256i pair_of(const std::int16_t* weights) {
    std::int32_t both = 0;
    std::memcpy(&both, weights, sizeof both);
    return _mm256_set1_epi32(both);
}

// Eight results of 16 rows, each as row pairs 0, 1, 4, 5 and 2, 3, 6, 7, to eight rows of eight.
PERFMODEL_IMAGE_AVX2 inline void store_row_pairs(const __m256i* values, RowPair* const* out, int x) {
    __m256i part[2][4];
    for (int half = 0; half < 2; ++half) {
        const __m256i* v = values + 4 * half;
        const __m256i a = _mm256_unpacklo_epi32(v[0], v[1]);
        const __m256i b = _mm256_unpackhi_epi32(v[0], v[1]);
        const __m256i c = _mm256_unpacklo_epi32(v[2], v[3]);
        const __m256i d = _mm256_unpackhi_epi32(v[2], v[3]);
        part[half][0] = _mm256_unpacklo_epi64(a, c);
        part[half][1] = _mm256_unpackhi_epi64(a, c);
        part[half][2] = _mm256_unpacklo_epi64(b, d);
        part[half][3] = _mm256_unpackhi_epi64(b, d);
    }
    constexpr int kRow[4] = {0, 1, 4, 5};
    for (int i = 0; i < 4; ++i) {
        const __m256i low = _mm256_permute2x128_si256(part[0][i], part[1][i], 0x20);
        const __m256i high = _mm256_permute2x128_si256(part[0][i], part[1][i], 0x31);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[kRow[i]] + x), low);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[kRow[i] + 2] + x), high);
    }
}

template <bool pixel>
PERFMODEL_IMAGE_AVX2 void horizontal(const std::uint8_t* gathered, int first, const TapView& view,
                                     RowPair* const* out) {
    const int drop = pixel ? view.shift : view.shift - kFraction;
    const __m256i half = _mm256_set1_epi32(drop > 0 ? 1 << (drop - 1) : 0);
    const __m128i count = _mm_cvtsi32_si128(drop);
    for (int x = 0; x < view.outputs; x += 8) {
        __m256i values[8];
        for (int i = 0; i < 8; ++i) {
            const int output = std::min(x + i, view.outputs - 1);
            const std::uint8_t* at =
                gathered + static_cast<std::ptrdiff_t>(view.start_of(output) - first) * kGathered;
            const std::int16_t* weights = view.weights_of(output);
            __m256i upper = half;
            __m256i lower = half;
            for (int p = 0; p < view.pairs; ++p) {
                const __m256i weight = pair_of(weights + 2 * p);
                upper = _mm256_add_epi32(upper, _mm256_madd_epi16(load32(at), weight));
                lower = _mm256_add_epi32(lower, _mm256_madd_epi16(load32(at + 32), weight));
                at += kGathered;
            }
            __m256i value =
                _mm256_packs_epi32(_mm256_sra_epi32(upper, count), _mm256_sra_epi32(lower, count));
            if (pixel) {
                value =
                    _mm256_min_epi16(_mm256_max_epi16(value, _mm256_setzero_si256()), _mm256_set1_epi16(255));
                value = _mm256_slli_epi16(value, kFraction);
            }
            values[i] = value;
        }
        store_row_pairs(values, out, x);
    }
}

void horizontal_any(const std::uint8_t* gathered, int first, const TapView& view, bool pixel,
                    RowPair* const* out) {
    if (pixel)
        horizontal<true>(gathered, first, view, out);
    else
        horizontal<false>(gathered, first, view, out);
}

// Sums of 32 columns, rounded and shifted.
PERFMODEL_IMAGE_AVX2 inline void sum_rows(const RowPair* rows, std::ptrdiff_t stride,
                                          const std::int16_t* weights, int pairs, int drop, __m256i* sums) {
    const __m256i half = _mm256_set1_epi32(drop > 0 ? 1 << (drop - 1) : 0);
    for (int i = 0; i < 4; ++i) sums[i] = half;
    for (int p = 0; p < pairs; ++p) {
        const __m256i weight = pair_of(weights + 2 * p);
        for (int i = 0; i < 4; ++i)
            sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(load32(rows + 8 * i), weight));
        rows += stride;
    }
    const __m128i count = _mm_cvtsi32_si128(drop);
    for (int i = 0; i < 4; ++i) sums[i] = _mm256_sra_epi32(sums[i], count);
}

PERFMODEL_IMAGE_AVX2 void vertical_fine(const RowPair* rows, std::ptrdiff_t stride,
                                        const std::int16_t* weights, int pairs, int shift, int width,
                                        std::int16_t* out) {
    for (int x = 0; x < width; x += kLanes) {
        __m256i sums[4];
        sum_rows(rows + x, stride, weights, pairs, shift, sums);
        auto* at = reinterpret_cast<__m256i*>(out + x);
        for (int i = 0; i < 2; ++i)
            _mm256_storeu_si256(
                at + i, _mm256_permute4x64_epi64(_mm256_packs_epi32(sums[2 * i], sums[2 * i + 1]), 0xD8));
    }
}

PERFMODEL_IMAGE_AVX2 void vertical_byte(const RowPair* rows, std::ptrdiff_t stride,
                                        const std::int16_t* weights, int pairs, int shift, int width,
                                        std::uint8_t* out) {
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (int x = 0; x < width; x += kLanes) {
        __m256i sums[4];
        sum_rows(rows + x, stride, weights, pairs, shift + kFraction, sums);
        const __m256i bytes =
            _mm256_packus_epi16(_mm256_packs_epi32(sums[0], sums[1]), _mm256_packs_epi32(sums[2], sums[3]));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + x), _mm256_permutevar8x32_epi32(bytes, order));
    }
}

}  // namespace

}  // namespace avx2

const Kernels* avx2_image_kernels() {
    static const Kernels kernels = {
        "avx2",           avx2::gather,       avx2::horizontal_any, avx2::vertical_fine, avx2::vertical_byte,
        avx2::colour,     avx2::split3,       avx2::split4,         avx2::join3,         avx2::write_float,
        avx2::write_half, avx2::write_bfloat, avx2::cosine(),       avx2::unfilter,
    };
    return &kernels;
}

}  // namespace perfmodel::cpu::image

#else

namespace perfmodel::cpu::image {

const Kernels* avx2_image_kernels() {
    return nullptr;
}

}  // namespace perfmodel::cpu::image

#endif  // PERFMODEL_X86
