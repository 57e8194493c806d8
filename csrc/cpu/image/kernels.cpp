#include "cpu/image/kernels.h"

#include <cstring>

#include "cpu/isa.h"

namespace perfmodel::cpu::image {

const Kernels& image_kernels() {
    const char* name = active().name;
    const Kernels* chosen = nullptr;
    if (std::strcmp(name, "avx512") == 0) chosen = avx512_image_kernels();
    if (std::strcmp(name, "avx2") == 0) chosen = avx2_image_kernels();
    if (std::strcmp(name, "neon") == 0) chosen = neon_image_kernels();
    return chosen != nullptr ? *chosen : scalar_image_kernels();
}

}  // namespace perfmodel::cpu::image
