#include "cpu/image/kernels.h"

namespace perfmodel::cpu::image {

const Kernels* avx2_image_kernels() {
    return nullptr;
}

const Kernels* avx512_image_kernels() {
    return nullptr;
}

}  // namespace perfmodel::cpu::image
