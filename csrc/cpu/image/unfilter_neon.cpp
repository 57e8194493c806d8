// Undoing PNG's row filters on 64-bit Arm, several rows at a time as on x86.
#include "cpu/image/kernels.h"
#include "cpu/image/kernels_neon.h"

#if defined(PERFMODEL_NEON)

#include <arm_neon.h>

#include <cstring>

namespace perfmodel::cpu::image::neon {

namespace {

constexpr int kSub = 1;
constexpr int kUp = 2;
constexpr int kAverage = 3;
constexpr int kPaeth = 4;

// At least left + up - corner is nearest to one of the three. Sums and differences need 16 bits.
uint8x8_t predict_paeth(uint8x8_t up, uint8x8_t left, uint8x8_t corner) {
    const uint16x8_t from_left = vabdl_u8(up, corner);
    const uint16x8_t from_up = vabdl_u8(left, corner);
    const int16x8_t up_step = vreinterpretq_s16_u16(vsubl_u8(up, corner));
    const int16x8_t left_step = vreinterpretq_s16_u16(vsubl_u8(left, corner));
    const uint16x8_t from_corner = vreinterpretq_u16_s16(vabsq_s16(vaddq_s16(up_step, left_step)));
    const uint8x8_t take_left =
        vmovn_u16(vandq_u16(vcleq_u16(from_left, from_up), vcleq_u16(from_left, from_corner)));
    const uint8x8_t take_up = vmovn_u16(vcleq_u16(from_up, from_corner));
    return vbsl_u8(take_left, left, vbsl_u8(take_up, up, corner));
}

template <int filter>
uint8x8_t predict(uint8x8_t up, uint8x8_t left, uint8x8_t corner) {
    if (filter == kSub) return left;
    if (filter == kAverage) return vhadd_u8(left, up);
    return predict_paeth(up, left, corner);
}

// Loading may take bytes of the next pixel along: what they become is not stored.
template <int step>
void store_pixel(std::uint8_t* at, uint8x8_t pixel) {
    const std::uint64_t value = vget_lane_u64(vreinterpret_u64_u8(pixel), 0);
    std::memcpy(at, &value, step);
}

// Rows with these filters, top to bottom; `first` are the pixels of the first.
template <int step, int... filters>
void undo(std::uint8_t* first, std::size_t bytes, const std::uint8_t* above) {
    constexpr int kCount = sizeof...(filters);
    uint8x8_t left[kCount];
    uint8x8_t corner[kCount];
    for (int r = 0; r < kCount; ++r) left[r] = corner[r] = vdup_n_u8(0);
    for (std::size_t i = 0; i + step <= bytes; i += step) {
        uint8x8_t up = vld1_u8(above + i);
        std::uint8_t* at = first + i;
        int r = 0;
        const auto one = [&](uint8x8_t predicted) __attribute__((always_inline)) {
            left[r] = vadd_u8(vld1_u8(at), predicted);
            corner[r] = up;
            up = left[r];
            store_pixel<step>(at, up);
            at += bytes + 1;
            ++r;
        };
        (one(predict<filters>(up, left[r], corner[r])), ...);
    }
}

void undo_up(std::uint8_t* row, std::size_t bytes, const std::uint8_t* above) {
    std::size_t i = 0;
    for (; i + 16 <= bytes; i += 16) vst1q_u8(row + i, vaddq_u8(vld1q_u8(row + i), vld1q_u8(above + i)));
    for (; i < bytes; ++i) row[i] = static_cast<std::uint8_t>(row[i] + above[i]);
}

// Undoes the filters of as many rows as go together, at least one; returns how many.
template <int step>
int undo_some(std::uint8_t* rows, int count, std::size_t bytes, const std::uint8_t* above) {
    std::uint8_t* pixels = rows + 1;
    const auto filter = [rows, bytes](int r) {
        return static_cast<int>(rows[static_cast<std::size_t>(r) * (bytes + 1)]);
    };
    if (count >= 4 && filter(0) == kPaeth && filter(1) == kPaeth && filter(2) == kPaeth &&
        filter(3) == kPaeth) {
        undo<step, kPaeth, kPaeth, kPaeth, kPaeth>(pixels, bytes, above);
        return 4;
    }
    if (count >= 2 && filter(0) == kAverage && filter(1) == kAverage) {
        undo<step, kAverage, kAverage>(pixels, bytes, above);
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

}  // namespace perfmodel::cpu::image::neon

#endif  // PERFMODEL_NEON
