// Undoing PNG's row filters with the vector instructions of an AVX2 processor. Sub, Average and Paeth go from pixel
// to pixel: what counts is how long each takes, not how wide vectors are.
#include "cpu/image/kernels.h"
#include "cpu/image/kernels_avx2.h"

#if defined(PERFMODEL_X86)

#include <immintrin.h>

#include <cstring>

namespace perfmodel::cpu::image::avx2 {

namespace {

template <int step>
PERFMODEL_IMAGE_AVX2 inline __m128i load_pixel(const std::uint8_t* at) {
    std::int32_t pixel = 0;
    std::memcpy(&pixel, at, 4);  // of three bytes one too many: rows have room behind
    return _mm_cvtsi32_si128(pixel);
}

template <int step>
PERFMODEL_IMAGE_AVX2 inline void store_pixel(std::uint8_t* at, __m128i pixel) {
    const std::int32_t value = _mm_cvtsi128_si32(pixel);
    std::memcpy(at, &value, step);
}

template <int step>
PERFMODEL_IMAGE_AVX2 void sub(std::uint8_t* row, std::size_t bytes) {
    __m128i left = _mm_setzero_si128();
    for (std::size_t i = 0; i + step <= bytes; i += step) {
        left = _mm_add_epi8(left, load_pixel<step>(row + i));
        store_pixel<step>(row + i, left);
    }
}

template <int step>
PERFMODEL_IMAGE_AVX2 void average(std::uint8_t* row, const std::uint8_t* above, std::size_t bytes) {
    const __m128i one = _mm_set1_epi8(1);
    __m128i left = _mm_setzero_si128();
    for (std::size_t i = 0; i + step <= bytes; i += step) {
        const __m128i up = load_pixel<step>(above + i);
        // pavgb rounds up
        const __m128i odd = _mm_and_si128(_mm_xor_si128(left, up), one);
        left = _mm_add_epi8(load_pixel<step>(row + i), _mm_sub_epi8(_mm_avg_epu8(left, up), odd));
        store_pixel<step>(row + i, left);
    }
}

template <int step>
PERFMODEL_IMAGE_AVX2 void paeth(std::uint8_t* row, const std::uint8_t* above, std::size_t bytes) {
    __m128i left = _mm_setzero_si128();    // 16-bit values
    __m128i corner = _mm_setzero_si128();
    for (std::size_t i = 0; i + step <= bytes; i += step) {
        const __m128i up = _mm_cvtepu8_epi16(load_pixel<step>(above + i));
        const __m128i raw = _mm_cvtepu8_epi16(load_pixel<step>(row + i));
        const __m128i by_left = _mm_sub_epi16(up, corner);    // left + above - corner - left
        const __m128i by_above = _mm_sub_epi16(left, corner);
        const __m128i from_left = _mm_abs_epi16(by_left);
        const __m128i from_above = _mm_abs_epi16(by_above);
        const __m128i from_corner = _mm_abs_epi16(_mm_add_epi16(by_left, by_above));
        const __m128i least = _mm_min_epi16(from_corner, _mm_min_epi16(from_left, from_above));
        const __m128i not_left = _mm_blendv_epi8(corner, up, _mm_cmpeq_epi16(least, from_above));
        const __m128i nearest = _mm_blendv_epi8(not_left, left, _mm_cmpeq_epi16(least, from_left));
        left = _mm_add_epi8(raw, nearest);  // upper bytes stay zero
        corner = up;
        store_pixel<step>(row + i, _mm_packus_epi16(left, left));
    }
}

}  // namespace

void unfilter_none(std::uint8_t* row, const std::uint8_t* above, std::size_t bytes, int step) {
    scalar_image_kernels().unfilter[0](row, above, bytes, step);
}

void unfilter_sub(std::uint8_t* row, const std::uint8_t* above, std::size_t bytes, int step) {
    if (step == 3)
        sub<3>(row, bytes);
    else if (step == 4)
        sub<4>(row, bytes);
    else
        scalar_image_kernels().unfilter[1](row, above, bytes, step);
}

PERFMODEL_IMAGE_AVX2 void unfilter_up(std::uint8_t* row, const std::uint8_t* above, std::size_t bytes, int) {
    std::size_t i = 0;
    for (; i + 32 <= bytes; i += 32) {
        auto* at = reinterpret_cast<__m256i*>(row + i);
        const __m256i up = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(above + i));
        _mm256_storeu_si256(at, _mm256_add_epi8(_mm256_loadu_si256(at), up));
    }
    for (; i < bytes; ++i) row[i] = static_cast<std::uint8_t>(row[i] + above[i]);
}

void unfilter_average(std::uint8_t* row, const std::uint8_t* above, std::size_t bytes, int step) {
    if (step == 3)
        average<3>(row, above, bytes);
    else if (step == 4)
        average<4>(row, above, bytes);
    else
        scalar_image_kernels().unfilter[3](row, above, bytes, step);
}

void unfilter_paeth(std::uint8_t* row, const std::uint8_t* above, std::size_t bytes, int step) {
    if (step == 3)
        paeth<3>(row, above, bytes);
    else if (step == 4)
        paeth<4>(row, above, bytes);
    else
        scalar_image_kernels().unfilter[4](row, above, bytes, step);
}

}  // namespace perfmodel::cpu::image::avx2

#endif  // PERFMODEL_X86
