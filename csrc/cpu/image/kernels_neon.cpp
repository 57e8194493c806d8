#include "cpu/image/kernels.h"

namespace perfmodel::cpu::image {

const Kernels* neon_image_kernels() {
    return nullptr;
}

}  // namespace perfmodel::cpu::image
