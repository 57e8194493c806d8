// AVX2 + FMA and AVX-512 kernels for x86-64, compiled by target attributes and chosen at run time.
#include "cpu/kernels.h"

#if defined(PERFMODEL_X86)

#include <immintrin.h>

namespace perfmodel::cpu {

namespace {

#define PERFMODEL_AVX2 __attribute__((target("avx2,fma")))
#define PERFMODEL_AVX512 __attribute__((target("avx512f")))

// Two FMA units with a latency of four or five cycles need at least ten independent chains.
constexpr std::size_t kChains = 12;
constexpr std::size_t kStepsPerRound = 16;

bool has_avx2() {
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

bool has_avx512() {
    return __builtin_cpu_supports("avx512f") != 0;
}

PERFMODEL_AVX2 double sum_avx2(const float* values, std::size_t n) {
    __m256d low = _mm256_setzero_pd();
    __m256d high = _mm256_setzero_pd();
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 eight = _mm256_loadu_ps(values + i);
        low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(eight)));
        high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(eight, 1)));
    }
    alignas(32) double lanes[4];
    _mm256_store_pd(lanes, _mm256_add_pd(low, high));
    double total = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    for (; i < n; ++i) total += static_cast<double>(values[i]);
    return total;
}

PERFMODEL_AVX2 void triad_avx2(float* out, const float* a, const float* b, float scale, std::size_t n) {
    const __m256 factor = _mm256_set1_ps(scale);
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 sum = _mm256_fmadd_ps(factor, _mm256_loadu_ps(b + i), _mm256_loadu_ps(a + i));
        _mm256_storeu_ps(out + i, sum);
    }
    for (; i < n; ++i) out[i] = a[i] + scale * b[i];
}

PERFMODEL_AVX2 float fma_avx2(std::size_t rounds, float seed) {
    __m256 chain[kChains];
    for (std::size_t c = 0; c < kChains; ++c) chain[c] = _mm256_set1_ps(seed + static_cast<float>(c));
    const __m256 scale = _mm256_set1_ps(0.999F);
    const __m256 shift = _mm256_set1_ps(seed);
    for (std::size_t round = 0; round < rounds; ++round)
        for (std::size_t step = 0; step < kStepsPerRound; ++step)
            for (std::size_t c = 0; c < kChains; ++c) chain[c] = _mm256_fmadd_ps(chain[c], scale, shift);
    __m256 sum = chain[0];
    for (std::size_t c = 1; c < kChains; ++c) sum = _mm256_add_ps(sum, chain[c]);
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, sum);
    float total = 0.0F;
    for (const float lane : lanes) total += lane;
    return total;
}

PERFMODEL_AVX512 double sum_avx512(const float* values, std::size_t n) {
    __m512d low = _mm512_setzero_pd();
    __m512d high = _mm512_setzero_pd();
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm256_loadu_ps(values + i)));
        high = _mm512_add_pd(high, _mm512_cvtps_pd(_mm256_loadu_ps(values + i + 8)));
    }
    alignas(64) double lanes[8];
    _mm512_store_pd(lanes, _mm512_add_pd(low, high));
    double total = 0.0;
    for (const double lane : lanes) total += lane;
    for (; i < n; ++i) total += static_cast<double>(values[i]);
    return total;
}

PERFMODEL_AVX512 void triad_avx512(float* out, const float* a, const float* b, float scale, std::size_t n) {
    const __m512 factor = _mm512_set1_ps(scale);
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512 sum = _mm512_fmadd_ps(factor, _mm512_loadu_ps(b + i), _mm512_loadu_ps(a + i));
        _mm512_storeu_ps(out + i, sum);
    }
    if (i < n) {
        const auto mask = static_cast<__mmask16>((1U << (n - i)) - 1U);
        const __m512 tail =
            _mm512_fmadd_ps(factor, _mm512_maskz_loadu_ps(mask, b + i), _mm512_maskz_loadu_ps(mask, a + i));
        _mm512_mask_storeu_ps(out + i, mask, tail);
    }
}

PERFMODEL_AVX512 float fma_avx512(std::size_t rounds, float seed) {
    __m512 chain[kChains];
    for (std::size_t c = 0; c < kChains; ++c) chain[c] = _mm512_set1_ps(seed + static_cast<float>(c));
    const __m512 scale = _mm512_set1_ps(0.999F);
    const __m512 shift = _mm512_set1_ps(seed);
    for (std::size_t round = 0; round < rounds; ++round)
        for (std::size_t step = 0; step < kStepsPerRound; ++step)
            for (std::size_t c = 0; c < kChains; ++c) chain[c] = _mm512_fmadd_ps(chain[c], scale, shift);
    __m512 sum = chain[0];
    for (std::size_t c = 1; c < kChains; ++c) sum = _mm512_add_ps(sum, chain[c]);
    alignas(64) float lanes[16];
    _mm512_store_ps(lanes, sum);
    float total = 0.0F;
    for (const float lane : lanes) total += lane;
    return total;
}

}  // namespace

const Kernels& avx2_kernels() {
    static const Kernels kernels = {"avx2",   "x86-64 with AVX2 and FMA",      has_avx2, sum_avx2, triad_avx2,
                                    fma_avx2, 2 * 8 * kChains * kStepsPerRound};
    return kernels;
}

const Kernels& avx512_kernels() {
    static const Kernels kernels = {
        "avx512",   "x86-64 with AVX-512F",           has_avx512, sum_avx512, triad_avx512,
        fma_avx512, 2 * 16 * kChains * kStepsPerRound};
    return kernels;
}

}  // namespace perfmodel::cpu

#endif  // PERFMODEL_X86
