// The inner kernel of product times: a fixed number of products side by side, compiled for each instruction
// set.
#pragma once

#include <cstddef>

#include "cpu/products.h"

namespace perfmodel::cpu {

// Products of one call of the kernel: two AVX-512 vectors.
constexpr std::size_t kProductLanes = 16;

struct alignas(64) ProductBlock {
    double column[kProductColumns][kProductLanes];
    bool any_tensor;
    bool any_plain;
};

// Seconds of the products of a block. The lanes do not depend on each other, and every instruction set gives
// the same bits.
using ProductKernel = void (*)(const ProductBlock& block, const ProductCoefficients& coefficients,
                               double* seconds);

// The kernel that goes with the instruction set in use.
ProductKernel product_kernel();

}  // namespace perfmodel::cpu
