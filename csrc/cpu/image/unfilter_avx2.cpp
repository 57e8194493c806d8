// Undoing PNG's row filters with the instructions of an AVX2 processor. Average and Paeth go from pixel to
// pixel, each waiting for the one before: so rows are taken two or four at a time, each a pixel behind the
// one above in effect, and their waiting times overlap.
#include "cpu/image/kernels.h"
#include "cpu/image/kernels_avx2.h"
#include "cpu/image/paeth_avx2.h"

#if defined(PERFMODEL_X86)

#include <immintrin.h>

#include <cstring>

namespace perfmodel::cpu::image::avx2 {

namespace {

constexpr int kNone = 0;
constexpr int kSub = 1;
constexpr int kUp = 2;
constexpr int kAverage = 3;
constexpr int kPaeth = 4;

// Pixels are kept as 16-bit values whose upper bytes are zero. Loading may take bytes of the next pixel
// along: what they become is not stored.
template <int step>
PERFMODEL_IMAGE_AVX2 inline __m128i load_pixel(const std::uint8_t* at) {
    if (step > 4) return _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
    std::int32_t pixel = 0;
    std::memcpy(&pixel, at, 4);
    return _mm_cvtepu8_epi16(_mm_cvtsi32_si128(pixel));
}

template <int step>
PERFMODEL_IMAGE_AVX2 inline void store_pixel(std::uint8_t* at, __m128i pixel) {
    const std::int64_t value = _mm_cvtsi128_si64(_mm_packus_epi16(pixel, pixel));
    std::memcpy(at, &value, step);
}

PERFMODEL_IMAGE_AVX2 inline __m128i predict_paeth(__m128i up, __m128i left, __m128i corner) {
    const __m128i up_step = _mm_sub_epi16(up, corner);  // distance of left from left + up - corner
    const __m128i left_step = _mm_sub_epi16(left, corner);
    const __m128i from_left = _mm_abs_epi16(up_step);
    const __m128i from_up = _mm_abs_epi16(left_step);
    const __m128i from_corner = _mm_abs_epi16(_mm_add_epi16(up_step, left_step));
    const __m128i least = _mm_min_epi16(from_corner, _mm_min_epi16(from_left, from_up));
    const __m128i not_left = _mm_blendv_epi8(corner, up, _mm_cmpeq_epi16(least, from_up));
    return _mm_blendv_epi8(not_left, left, _mm_cmpeq_epi16(least, from_left));
}

template <int filter>
PERFMODEL_IMAGE_AVX2 inline __m128i predict(__m128i up, __m128i left, __m128i corner) {
    if (filter == kSub) return left;
    if (filter == kAverage) return _mm_srli_epi16(_mm_add_epi16(left, up), 1);
    return predict_paeth(up, left, corner);
}

// Rows with these filters, top to bottom; `first` are the pixels of the first.
template <int step, int... filters>
PERFMODEL_IMAGE_AVX2 void undo(std::uint8_t* first, std::size_t bytes, const std::uint8_t* above) {
    constexpr int kCount = sizeof...(filters);
    __m128i left[kCount];
    __m128i corner[kCount];
    for (int r = 0; r < kCount; ++r) left[r] = corner[r] = _mm_setzero_si128();
    for (std::size_t i = 0; i + step <= bytes; i += step) {
        __m128i up = load_pixel<step>(above + i);
        std::uint8_t* at = first + i;
        int r = 0;
        const auto one = [&](__m128i predicted) __attribute__((target("avx2,fma,f16c"), always_inline)) {
            left[r] = _mm_add_epi8(load_pixel<step>(at), predicted);
            corner[r] = up;
            up = left[r];
            store_pixel<step>(at, up);
            at += bytes + 1;
            ++r;
        };
        (one(predict<filters>(up, left[r], corner[r])), ...);
    }
}

PERFMODEL_IMAGE_AVX2 void undo_up(std::uint8_t* row, std::size_t bytes, const std::uint8_t* above) {
    std::size_t i = 0;
    for (; i + 32 <= bytes; i += 32) {
        auto* at = reinterpret_cast<__m256i*>(row + i);
        const __m256i up = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(above + i));
        _mm256_storeu_si256(at, _mm256_add_epi8(_mm256_loadu_si256(at), up));
    }
    for (; i < bytes; ++i) row[i] = static_cast<std::uint8_t>(row[i] + above[i]);
}

bool slow(int filter) {
    return filter == kAverage || filter == kPaeth;
}

// Undoes the filters of as many rows as go together, at least one; returns how many.
template <int step>
int undo_some(std::uint8_t* rows, int count, std::size_t bytes, const std::uint8_t* above) {
    std::uint8_t* pixels = rows + 1;
    const auto filter = [rows, bytes](int r) {
        return static_cast<int>(rows[static_cast<std::size_t>(r) * (bytes + 1)]);
    };
    if ((step == 3 || step == 4) && count >= kPaethRows) {
        int same = 0;
        while (same < kPaethRows && filter(same) == kPaeth) ++same;
        if (same == kPaethRows) {
            undo_eight_paeth(pixels, bytes, step, above);
            return kPaethRows;
        }
    }
    if (count >= 4 && filter(0) == kPaeth && filter(1) == kPaeth && filter(2) == kPaeth &&
        filter(3) == kPaeth) {
        undo<step, kPaeth, kPaeth, kPaeth, kPaeth>(pixels, bytes, above);
        return 4;
    }
    if (count >= 2 && slow(filter(0)) && slow(filter(1))) {
        const bool paeth = filter(1) == kPaeth;
        if (filter(0) == kPaeth)
            (paeth ? undo<step, kPaeth, kPaeth> : undo<step, kPaeth, kAverage>)(pixels, bytes, above);
        else
            (paeth ? undo<step, kAverage, kPaeth> : undo<step, kAverage, kAverage>)(pixels, bytes, above);
        return 2;
    }
    if (filter(0) == kSub) undo<step, kSub>(pixels, bytes, above);
    if (filter(0) == kUp) undo_up(pixels, bytes, above);
    if (filter(0) == kAverage) undo<step, kAverage>(pixels, bytes, above);
    if (filter(0) == kPaeth) undo<step, kPaeth>(pixels, bytes, above);
    return 1;
}

template <int step>
void undo_all(std::uint8_t* rows, int count, std::size_t bytes, const std::uint8_t* above) {
    while (count > 0) {
        const int done = undo_some<step>(rows, count, bytes, above);
        rows += static_cast<std::size_t>(done) * (bytes + 1);
        above = rows - bytes;
        count -= done;
    }
}

}  // namespace

void unfilter(std::uint8_t* rows, int count, std::size_t bytes, int step, const std::uint8_t* above) {
    switch (step) {
        case 1:
            return undo_all<1>(rows, count, bytes, above);
        case 2:
            return undo_all<2>(rows, count, bytes, above);
        case 3:
            return undo_all<3>(rows, count, bytes, above);
        case 4:
            return undo_all<4>(rows, count, bytes, above);
        case 6:
            return undo_all<6>(rows, count, bytes, above);
        default:
            return undo_all<8>(rows, count, bytes, above);
    }
}

}  // namespace perfmodel::cpu::image::avx2

#endif  // PERFMODEL_X86
