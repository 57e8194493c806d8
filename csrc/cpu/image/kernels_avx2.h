// AVX2 versions that AVX-512 gains nothing over, shared by both tables.
#pragma once

#include "cpu/kernels.h"

#if defined(PERFMODEL_X86)

#include <cstddef>
#include <cstdint>

#define PERFMODEL_IMAGE_AVX2 __attribute__((target("avx2,fma,f16c")))

namespace perfmodel::cpu::image::avx2 {

void gather(const std::uint8_t* const* rows, int first, int pairs, std::uint8_t* out);
void colour(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr, int width,
            std::uint8_t* red, std::uint8_t* green, std::uint8_t* blue);
void split3(const std::uint8_t* pixels, int count, std::uint8_t* const* planes);
void split4(const std::uint8_t* pixels, int count, std::uint8_t* const* planes);
void join3(const std::uint8_t* const* planes, int count, std::uint8_t* pixels);
void write_float(const std::uint8_t* in, int count, const float* scale, const float* shift, float* out);
void write_half(const std::uint8_t* in, int count, const float* scale, const float* shift,
                std::uint16_t* out);
void write_bfloat(const std::uint8_t* in, int count, const float* scale, const float* shift,
                  std::uint16_t* out);
void inverse_cosine(const std::int16_t* const* blocks, const std::uint16_t* const* steps,
                    std::uint8_t* const* out, const std::ptrdiff_t* strides);

// inverse_cosine, or null where the processor lacks the shifts that go with it in the JPEG decoder.
inline auto* cosine() {
    const bool shifts = __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0;
    return shifts ? inverse_cosine : nullptr;
}

void unfilter(std::uint8_t* rows, int count, std::size_t bytes, int step, const std::uint8_t* above);

}  // namespace perfmodel::cpu::image::avx2

#endif  // PERFMODEL_X86
