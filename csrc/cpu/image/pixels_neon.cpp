// Colours, planes and output values for 64-bit Arm.
#include "cpu/image/kernels.h"
#include "cpu/image/kernels_neon.h"
#include "cpu/image/pixel_math.h"

#if defined(PERFMODEL_NEON)

#include <arm_neon.h>

namespace perfmodel::cpu::image::neon {

namespace {

uint8x8_t round_fraction(int16x8_t value) {
    return vqmovun_s16(vshrq_n_s16(vqaddq_s16(value, vdupq_n_s16(1 << (kFraction - 1))), kFraction));
}

}  // namespace

void colour(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr, int width,
            std::uint8_t* red, std::uint8_t* green, std::uint8_t* blue) {
    const int16x8_t centre = vdupq_n_s16(128 << kFraction);
    for (int x = 0; x < width; x += 8) {
        const int16x8_t light = vld1q_s16(y + x);
        const int16x8_t b = vqsubq_s16(vld1q_s16(cb + x), centre);
        const int16x8_t r = vqsubq_s16(vld1q_s16(cr + x), centre);
        vst1_u8(red + x, round_fraction(vqaddq_s16(vqaddq_s16(light, r), vqrdmulhq_n_s16(r, kRedCr))));
        vst1_u8(green + x, round_fraction(vqsubq_s16(vqsubq_s16(light, vqrdmulhq_n_s16(b, kGreenCb)),
                                                     vqrdmulhq_n_s16(r, kGreenCr))));
        vst1_u8(blue + x,
                round_fraction(vqsubq_s16(vqaddq_s16(vqaddq_s16(light, b), b), vqrdmulhq_n_s16(b, kBlueCb))));
    }
}

void split3(const std::uint8_t* pixels, int count, std::uint8_t* const* planes) {
    for (int i = 0; i < count; i += 16) {
        const uint8x16x3_t v = vld3q_u8(pixels + 3 * static_cast<std::ptrdiff_t>(i));
        for (int c = 0; c < 3; ++c) vst1q_u8(planes[c] + i, v.val[c]);
    }
}

void split4(const std::uint8_t* pixels, int count, std::uint8_t* const* planes) {
    for (int i = 0; i < count; i += 16) {
        const uint8x16x4_t v = vld4q_u8(pixels + 4 * static_cast<std::ptrdiff_t>(i));
        for (int c = 0; c < 3; ++c) vst1q_u8(planes[c] + i, v.val[c]);
    }
}

void join3(const std::uint8_t* const* planes, int count, std::uint8_t* pixels) {
    int i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint8x16x3_t v = {{vld1q_u8(planes[0] + i), vld1q_u8(planes[1] + i), vld1q_u8(planes[2] + i)}};
        vst3q_u8(pixels + 3 * static_cast<std::ptrdiff_t>(i), v);
    }
    for (; i < count; ++i)
        for (int c = 0; c < 3; ++c) pixels[3 * static_cast<std::ptrdiff_t>(i) + c] = planes[c][i];
}

namespace {

// Four of eight 16-bit values, normalised; rounded after each step, for the file is built without
// contraction.
float32x4_t normalise4(uint16x4_t values, const float* scale, const float* shift) {
    const float32x4_t floats = vcvtq_f32_u32(vmovl_u16(values));
    return vaddq_f32(vmulq_f32(floats, vld1q_f32(scale)), vld1q_f32(shift));
}

float normalise(std::uint8_t value, float scale, float shift) {
    const float product = static_cast<float>(value) * scale;
    return product + shift;
}

// Bits of bfloat16 in the lower halves.
uint16x4_t round_bfloat(float32x4_t values) {
    const uint32x4_t bits = vreinterpretq_u32_f32(values);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    return vshrn_n_u32(vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFF)), odd), 16);
}

}  // namespace

void write_float(const std::uint8_t* in, int count, const float* scale, const float* shift, float* out) {
    int i = 0;
    for (; i + kPattern <= count; i += kPattern)
        for (int k = 0; k < kPattern; k += 8) {
            const uint16x8_t values = vmovl_u8(vld1_u8(in + i + k));
            vst1q_f32(out + i + k, normalise4(vget_low_u16(values), scale + k, shift + k));
            vst1q_f32(out + i + k + 4, normalise4(vget_high_u16(values), scale + k + 4, shift + k + 4));
        }
    for (int k = 0; i < count; ++i, ++k) out[i] = normalise(in[i], scale[k], shift[k]);
}

void write_half(const std::uint8_t* in, int count, const float* scale, const float* shift,
                std::uint16_t* out) {
    int i = 0;
    for (; i + kPattern <= count; i += kPattern)
        for (int k = 0; k < kPattern; k += 8) {
            const uint16x8_t values = vmovl_u8(vld1_u8(in + i + k));
            const float32x4_t low = normalise4(vget_low_u16(values), scale + k, shift + k);
            const float32x4_t high = normalise4(vget_high_u16(values), scale + k + 4, shift + k + 4);
            vst1_u16(out + i + k, vreinterpret_u16_f16(vcvt_f16_f32(low)));
            vst1_u16(out + i + k + 4, vreinterpret_u16_f16(vcvt_f16_f32(high)));
        }
    for (int k = 0; i < count; ++i, ++k) out[i] = half_bits(normalise(in[i], scale[k], shift[k]));
}

void write_bfloat(const std::uint8_t* in, int count, const float* scale, const float* shift,
                  std::uint16_t* out) {
    int i = 0;
    for (; i + kPattern <= count; i += kPattern)
        for (int k = 0; k < kPattern; k += 8) {
            const uint16x8_t values = vmovl_u8(vld1_u8(in + i + k));
            vst1_u16(out + i + k, round_bfloat(normalise4(vget_low_u16(values), scale + k, shift + k)));
            vst1_u16(out + i + k + 4,
                     round_bfloat(normalise4(vget_high_u16(values), scale + k + 4, shift + k + 4)));
        }
    for (int k = 0; i < count; ++i, ++k) out[i] = bfloat_bits(normalise(in[i], scale[k], shift[k]));
}

}  // namespace perfmodel::cpu::image::neon

#endif  // PERFMODEL_NEON
