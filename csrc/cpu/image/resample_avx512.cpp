// The passes of the resize with AVX-512; what remains is AVX2.
#include "cpu/image/kernels.h"
#include "cpu/image/kernels_avx2.h"

#if defined(PERFMODEL_X86)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

namespace perfmodel::cpu::image {

namespace {

#define PERFMODEL_IMAGE_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,fma")))

PERFMODEL_IMAGE_AVX512 inline __m512i pair_of(const std::int16_t* weights) {
    std::int32_t both = 0;
    std::memcpy(&both, weights, sizeof both);
    return _mm512_set1_epi32(both);
}

// Eight results of 16 rows in order to eight row pairs of eight.
PERFMODEL_IMAGE_AVX512 inline void store_row_pairs(const __m256i* values, RowPair* const* out, int x) {
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
    for (int i = 0; i < 4; ++i) {
        const __m256i low = _mm256_permute2x128_si256(part[0][i], part[1][i], 0x20);
        const __m256i high = _mm256_permute2x128_si256(part[0][i], part[1][i], 0x31);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[i] + x), low);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[i + 4] + x), high);
    }
}

template <bool pixel>
PERFMODEL_IMAGE_AVX512 void horizontal(const std::uint8_t* gathered, int first, const TapView& view,
                                       RowPair* const* out) {
    const int drop = pixel ? view.shift : view.shift - kFraction;
    const __m512i half = _mm512_set1_epi32(drop > 0 ? 1 << (drop - 1) : 0);
    const __m128i count = _mm_cvtsi32_si128(drop);
    for (int x = 0; x < view.outputs; x += 8) {
        __m256i values[8];
        for (int i = 0; i < 8; ++i) {
            const int output = std::min(x + i, view.outputs - 1);
            const std::uint8_t* at =
                gathered + static_cast<std::ptrdiff_t>(view.start_of(output) - first) * kGathered;
            const std::int16_t* weights = view.weights_of(output);
            __m512i even = half;
            __m512i odd = _mm512_setzero_si512();
            int p = 0;
            for (; p + 2 <= view.pairs; p += 2) {
                even = _mm512_add_epi32(even,
                                        _mm512_madd_epi16(_mm512_loadu_si512(at), pair_of(weights + 2 * p)));
                odd = _mm512_add_epi32(
                    odd, _mm512_madd_epi16(_mm512_loadu_si512(at + kGathered), pair_of(weights + 2 * p + 2)));
                at += 2 * kGathered;
            }
            if (p < view.pairs)
                even = _mm512_add_epi32(even,
                                        _mm512_madd_epi16(_mm512_loadu_si512(at), pair_of(weights + 2 * p)));
            __m256i value = _mm512_cvtsepi32_epi16(_mm512_sra_epi32(_mm512_add_epi32(even, odd), count));
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
PERFMODEL_IMAGE_AVX512 inline void sum_rows(const RowPair* rows, std::ptrdiff_t stride,
                                            const std::int16_t* weights, int pairs, int drop, __m512i* sums) {
    sums[0] = sums[1] = _mm512_set1_epi32(drop > 0 ? 1 << (drop - 1) : 0);
    for (int p = 0; p < pairs; ++p) {
        const __m512i weight = pair_of(weights + 2 * p);
        sums[0] = _mm512_add_epi32(sums[0], _mm512_madd_epi16(_mm512_loadu_si512(rows), weight));
        sums[1] = _mm512_add_epi32(sums[1], _mm512_madd_epi16(_mm512_loadu_si512(rows + 16), weight));
        rows += stride;
    }
    const __m128i count = _mm_cvtsi32_si128(drop);
    sums[0] = _mm512_sra_epi32(sums[0], count);
    sums[1] = _mm512_sra_epi32(sums[1], count);
}

PERFMODEL_IMAGE_AVX512 void vertical_fine(const RowPair* rows, std::ptrdiff_t stride,
                                          const std::int16_t* weights, int pairs, int shift, int width,
                                          std::int16_t* out) {
    for (int x = 0; x < width; x += kLanes) {
        __m512i sums[2];
        sum_rows(rows + x, stride, weights, pairs, shift, sums);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + x), _mm512_cvtsepi32_epi16(sums[0]));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + x + 16), _mm512_cvtsepi32_epi16(sums[1]));
    }
}

PERFMODEL_IMAGE_AVX512 void vertical_byte(const RowPair* rows, std::ptrdiff_t stride,
                                          const std::int16_t* weights, int pairs, int shift, int width,
                                          std::uint8_t* out) {
    const __m512i zero = _mm512_setzero_si512();
    for (int x = 0; x < width; x += kLanes) {
        __m512i sums[2];
        sum_rows(rows + x, stride, weights, pairs, shift + kFraction, sums);
        for (int i = 0; i < 2; ++i)
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x + 16 * i),
                             _mm512_cvtusepi32_epi8(_mm512_max_epi32(sums[i], zero)));
    }
}

}  // namespace

const Kernels* avx512_image_kernels() {
    static const bool supported = __builtin_cpu_supports("avx512bw") != 0 &&
                                  __builtin_cpu_supports("avx512vl") != 0 &&
                                  __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    if (!supported) return avx2_image_kernels();
    static const Kernels kernels = {
        "avx512",         avx2::gather,       horizontal_any, vertical_fine,  vertical_byte,
        avx2::colour,     avx2::split3,       avx2::split4,   avx2::join3,    avx2::write_float,
        avx2::write_half, avx2::write_bfloat, avx2::cosine(), avx2::unfilter,
    };
    return &kernels;
}

}  // namespace perfmodel::cpu::image

#else

namespace perfmodel::cpu::image {

const Kernels* avx512_image_kernels() {
    return nullptr;
}

}  // namespace perfmodel::cpu::image

#endif  // PERFMODEL_X86
