// Each value waits for the one to its left and the one above. So four rows go side by side in one vector,
// each a pixel behind the row above it: when a row needs the pixel above, that is the result of the step
// before, one lane higher. A second vector of four rows follows four pixels behind the first.
#include "cpu/image/paeth_avx2.h"

#include "cpu/image/kernels_avx2.h"

#if defined(PERFMODEL_X86)

#include <immintrin.h>

#include <cstring>

namespace perfmodel::cpu::image::avx2 {

namespace {

constexpr int kLaneRows = 4;

PERFMODEL_IMAGE_AVX2 inline __m128i difference(__m128i a, __m128i b) {
    return _mm_or_si128(_mm_subs_epu8(a, b), _mm_subs_epu8(b, a));
}

PERFMODEL_IMAGE_AVX2 inline __m128i at_least(__m128i a, __m128i b) {
    return _mm_cmpeq_epi8(_mm_max_epu8(a, b), a);
}

// In bytes: where left and up lie on the same side of the corner, the distance from the corner is the sum of
// the other two and so not the least (or all are zero); else it is their difference.
PERFMODEL_IMAGE_AVX2 inline __m128i predict(__m128i up, __m128i left, __m128i corner) {
    const __m128i from_left = difference(up, corner);
    const __m128i from_up = difference(left, corner);
    const __m128i sides_differ = _mm_xor_si128(at_least(up, corner), at_least(left, corner));
    const __m128i from_corner =
        _mm_blendv_epi8(_mm_adds_epu8(from_left, from_up), difference(from_left, from_up), sides_differ);
    const __m128i least = _mm_min_epu8(from_corner, _mm_min_epu8(from_left, from_up));
    const __m128i not_left = _mm_blendv_epi8(corner, up, _mm_cmpeq_epi8(least, from_up));
    return _mm_blendv_epi8(not_left, left, _mm_cmpeq_epi8(least, from_left));
}

std::int32_t load4(const std::uint8_t* at) {
    std::int32_t value = 0;
    std::memcpy(&value, at, 4);
    return value;
}

// Four rows; row r stands at pixel x - r. Pixels take four bytes of a lane, of which the last of three-byte
// pixels means nothing.
template <int step>
class FourRows {
  public:
    PERFMODEL_IMAGE_AVX2 FourRows(std::uint8_t* first, std::size_t bytes, const std::uint8_t* above)
        : row_{first, first + (bytes + 1), first + 2 * (bytes + 1), first + 3 * (bytes + 1)},
          above_(above),
          width_(static_cast<std::ptrdiff_t>(bytes) / step),
          left_(_mm_setzero_si128()),
          up_(_mm_setzero_si128()),
          next_(_mm_setzero_si128()) {}

    std::uint8_t* last_row() const { return row_[kLaneRows - 1]; }

    // Goes to pixel x. `checked` where a row is before its first pixel, or at or behind its last; x begins at
    // -1.
    template <bool checked>
    PERFMODEL_IMAGE_AVX2 inline void go(std::ptrdiff_t x) {
        const __m128i raw = next_;
        load_next<checked>(x + 1);
        const std::int32_t top = !checked || inside(x) ? load4(above_ + x * step) : 0;
        const __m128i corner = up_;
        // The results of the step before, each one lane on.
        up_ = _mm_alignr_epi8(left_, _mm_shuffle_epi32(_mm_cvtsi32_si128(top), 0), 12);
        left_ = _mm_add_epi8(raw, predict(up_, left_, corner));
        store<checked>(x);
    }

  private:
    bool inside(std::ptrdiff_t x) const { return x >= 0 && x < width_; }

    // Filtered pixels are loaded a step ahead: storing the pixel before may overwrite their first byte.
    template <bool checked>
    PERFMODEL_IMAGE_AVX2 inline void load_next(std::ptrdiff_t x) {
        std::int32_t pixel[kLaneRows];
        for (int r = 0; r < kLaneRows; ++r)
            pixel[r] = !checked || inside(x - r) ? load4(row_[r] + (x - r) * step) : 0;
        next_ = _mm_set_epi32(pixel[3], pixel[2], pixel[1], pixel[0]);
    }

    template <bool checked>
    PERFMODEL_IMAGE_AVX2 inline void store(std::ptrdiff_t x) const {
        const std::int32_t pixel[kLaneRows] = {_mm_extract_epi32(left_, 0), _mm_extract_epi32(left_, 1),
                                               _mm_extract_epi32(left_, 2), _mm_extract_epi32(left_, 3)};
        for (int r = 0; r < kLaneRows; ++r) {
            if (checked && !inside(x - r)) continue;
            std::memcpy(row_[r] + (x - r) * step, &pixel[r], checked ? step : 4);
        }
    }

    std::uint8_t* row_[kLaneRows];
    const std::uint8_t* above_;
    std::ptrdiff_t width_;
    __m128i left_;
    __m128i up_;
    __m128i next_;
};

template <int step>
PERFMODEL_IMAGE_AVX2 void undo(std::uint8_t* first, std::size_t bytes, const std::uint8_t* above) {
    const auto width = static_cast<std::ptrdiff_t>(bytes) / step;
    FourRows<step> upper(first, bytes, above);
    FourRows<step> lower(first + kLaneRows * (bytes + 1), bytes, upper.last_row());
    std::ptrdiff_t x = -1;
    const auto checked = [&](std::ptrdiff_t end) PERFMODEL_IMAGE_AVX2 {
        for (; x < end; ++x) {
            upper.template go<true>(x);
            lower.template go<true>(x - kLaneRows);
        }
    };
    checked(2 * kLaneRows);
    FourRows<step> a = upper;
    FourRows<step> b = lower;
    for (; x + 1 < width; ++x) {
        a.template go<false>(x);
        b.template go<false>(x - kLaneRows);
    }
    upper = a;
    lower = b;
    checked(width + 2 * kLaneRows);
}

}  // namespace

void undo_eight_paeth(std::uint8_t* first, std::size_t bytes, int step, const std::uint8_t* above) {
    if (step == 3)
        undo<3>(first, bytes, above);
    else
        undo<4>(first, bytes, above);
}

}  // namespace perfmodel::cpu::image::avx2

#endif  // PERFMODEL_X86
