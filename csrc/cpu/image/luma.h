// Grey of red, green and blue as Pillow computes it: ITU-R 601-2 in units of 2^-16.
#pragma once

#include <cstdint>

#include "common/host_device.h"

namespace perfmodel::cpu::image {

PERFMODEL_HD std::uint8_t luma(std::uint32_t red, std::uint32_t green, std::uint32_t blue) {
    return static_cast<std::uint8_t>((red * 19595U + green * 38470U + blue * 7471U + 0x8000U) >> 16);
}

}  // namespace perfmodel::cpu::image
