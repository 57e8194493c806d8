#include "cpu/image/kernels.h"

#include <cstring>

#include "cpu/isa.h"

namespace perfmodel::cpu::image {

const Kernels& image_kernels() {
    const char* name = active().name;
    for (const Kernels* kernels : {avx512_image_kernels(), avx2_image_kernels(), neon_image_kernels()})
        if (kernels != nullptr && std::strcmp(kernels->name, name) == 0) return *kernels;
    return scalar_image_kernels();
}

}  // namespace perfmodel::cpu::image
