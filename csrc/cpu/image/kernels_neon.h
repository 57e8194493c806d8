// NEON versions that lie in several files.
#pragma once

#include "cpu/kernels.h"

#if defined(PERFMODEL_NEON)

#include <cstddef>
#include <cstdint>

namespace perfmodel::cpu::image::neon {

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
void unfilter(std::uint8_t* rows, int count, std::size_t bytes, int step, const std::uint8_t* above);

}  // namespace perfmodel::cpu::image::neon

#endif  // PERFMODEL_NEON
