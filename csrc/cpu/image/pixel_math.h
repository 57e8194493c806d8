// The arithmetic of one value, shared by all instruction sets: what vector code has to reproduce.
#pragma once

#include <cstdint>
#include <cstring>

namespace perfmodel::cpu::image {

inline std::int16_t saturate16(std::int32_t value) {
    if (value > 32767) return 32767;
    if (value < -32768) return -32768;
    return static_cast<std::int16_t>(value);
}

inline std::uint8_t saturate8(std::int32_t value) {
    if (value > 255) return 255;
    if (value < 0) return 0;
    return static_cast<std::uint8_t>(value);
}

// Product of a value and a factor in units of 2^-15, rounded (pmulhrsw, vqrdmulh).
inline std::int16_t scale16(std::int16_t value, std::int16_t factor) {
    return static_cast<std::int16_t>((static_cast<std::int32_t>(value) * factor + 0x4000) >> 15);
}

// JFIF's conversion, as factors in units of 2^-15: R = Y + 1.402 Cr, G = Y - 0.344136 Cb - 0.714136 Cr,
// B = Y + 1.772 Cb (ITU-T T.871), with Cr and Cb centred.
constexpr std::int16_t kRedCr = 13173;    // 1.402 - 1
constexpr std::int16_t kGreenCb = 11277;  // 0.344136
constexpr std::int16_t kGreenCr = 23401;  // 0.714136
constexpr std::int16_t kBlueCb = 7471;    // 2 - 1.772

// Bits of IEEE half precision, rounded to nearest even.
inline std::uint16_t half_bits(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
    bits &= 0x7FFFFFFFU;
    if (bits >= 0x7F800000U)
        return static_cast<std::uint16_t>(sign | 0x7C00U |
                                          (bits > 0x7F800000U ? 0x200U | ((bits >> 13) & 0x3FFU) : 0U));
    if (bits >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);
    if (bits < 0x38800000U) {  // subnormal: adding 0.5 lets the processor round at the right bit
        float magnitude = 0.0F;
        std::memcpy(&magnitude, &bits, sizeof magnitude);
        magnitude += 0.5F;
        std::memcpy(&bits, &magnitude, sizeof bits);
        return static_cast<std::uint16_t>(sign | (bits - 0x3F000000U));
    }
    bits += 0xFFFU + ((bits >> 13) & 1U);
    return static_cast<std::uint16_t>(sign | ((bits - 0x38000000U) >> 13));
}

// Bits of bfloat16, rounded to nearest even.
inline std::uint16_t bfloat_bits(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

// PNG's predictor: the one of left, above and above left that is nearest to left + above - above left.
inline std::uint8_t paeth(int left, int above, int corner) {
    const int from_left = above > corner ? above - corner : corner - above;
    const int from_above = left > corner ? left - corner : corner - left;
    const int sum = left + above - 2 * corner;
    const int from_corner = sum < 0 ? -sum : sum;
    if (from_left <= from_above && from_left <= from_corner) return static_cast<std::uint8_t>(left);
    return static_cast<std::uint8_t>(from_above <= from_corner ? above : corner);
}

}  // namespace perfmodel::cpu::image
