// The portable fallback: plain C++ that any compiler and processor takes.
#include "cpu/kernels.h"

namespace perfmodel::cpu {

namespace {

constexpr std::size_t kChains = 8;
constexpr std::size_t kStepsPerRound = 16;

bool always() {
    return true;
}

double sum_float(const float* values, std::size_t n) {
    double partial[4] = {0.0, 0.0, 0.0, 0.0};
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (std::size_t lane = 0; lane < 4; ++lane) partial[lane] += static_cast<double>(values[i + lane]);
    for (; i < n; ++i) partial[0] += static_cast<double>(values[i]);
    return (partial[0] + partial[1]) + (partial[2] + partial[3]);
}

void triad_float(float* out, const float* a, const float* b, float scale, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = a[i] + scale * b[i];
}

float fma_float(std::size_t rounds, float seed) {
    float chain[kChains];
    for (std::size_t c = 0; c < kChains; ++c) chain[c] = seed + static_cast<float>(c);
    const float scale = 0.999F;
    for (std::size_t round = 0; round < rounds; ++round)
        for (std::size_t step = 0; step < kStepsPerRound; ++step)
            for (std::size_t c = 0; c < kChains; ++c) chain[c] = chain[c] * scale + seed;
    float total = 0.0F;
    for (const float value : chain) total += value;
    return total;
}

}  // namespace

const Kernels& scalar_kernels() {
    static const Kernels kernels = {"scalar",  "nothing special",           always, sum_float, triad_float,
                                    fma_float, 2 * kChains * kStepsPerRound};
    return kernels;
}

}  // namespace perfmodel::cpu
