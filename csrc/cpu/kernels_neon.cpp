// NEON kernels for 64-bit Arm, where NEON is part of the base architecture.
#include "cpu/kernels.h"

#if defined(PERFMODEL_NEON)

#include <arm_neon.h>

namespace perfmodel::cpu {

namespace {

constexpr std::size_t kChains = 16;
constexpr std::size_t kStepsPerRound = 16;

bool always() {
    return true;
}

double sum_neon(const float* values, std::size_t n) {
    float64x2_t low = vdupq_n_f64(0.0);
    float64x2_t high = vdupq_n_f64(0.0);
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float32x4_t four = vld1q_f32(values + i);
        low = vaddq_f64(low, vcvt_f64_f32(vget_low_f32(four)));
        high = vaddq_f64(high, vcvt_high_f64_f32(four));
    }
    double total = vaddvq_f64(vaddq_f64(low, high));
    for (; i < n; ++i) total += static_cast<double>(values[i]);
    return total;
}

void triad_neon(float* out, const float* a, const float* b, float scale, std::size_t n) {
    const float32x4_t factor = vdupq_n_f32(scale);
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4) vst1q_f32(out + i, vfmaq_f32(vld1q_f32(a + i), factor, vld1q_f32(b + i)));
    for (; i < n; ++i) out[i] = a[i] + scale * b[i];
}

float fma_neon(std::size_t rounds, float seed) {
    float32x4_t chain[kChains];
    for (std::size_t c = 0; c < kChains; ++c) chain[c] = vdupq_n_f32(seed + static_cast<float>(c));
    const float32x4_t scale = vdupq_n_f32(0.999F);
    const float32x4_t shift = vdupq_n_f32(seed);
    for (std::size_t round = 0; round < rounds; ++round)
        for (std::size_t step = 0; step < kStepsPerRound; ++step)
            for (std::size_t c = 0; c < kChains; ++c) chain[c] = vfmaq_f32(shift, chain[c], scale);
    float32x4_t sum = chain[0];
    for (std::size_t c = 1; c < kChains; ++c) sum = vaddq_f32(sum, chain[c]);
    return vaddvq_f32(sum);
}

}  // namespace

const Kernels& neon_kernels() {
    static const Kernels kernels = {
        "neon", "64-bit Arm", always, sum_neon, triad_neon, fma_neon, 2 * 4 * kChains * kStepsPerRound};
    return kernels;
}

}  // namespace perfmodel::cpu

#endif  // PERFMODEL_NEON
