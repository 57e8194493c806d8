// The formula, compiled once for each instruction set by function attributes. Without contraction to fused
// multiply-adds all of them round alike.
#include "cpu/products_kernel.h"

#include <cstring>

#include "cpu/isa.h"
#include "cpu/kernels.h"
#include "cpu/products_formula.h"

namespace perfmodel::cpu {

namespace {

void product_scalar(const ProductBlock& block, const ProductCoefficients& c, double* seconds) {
    formula::product_block(block, c, seconds);
}

#if defined(PERFMODEL_X86)
__attribute__((target("avx2"))) void product_avx2(const ProductBlock& block, const ProductCoefficients& c,
                                                  double* seconds) {
    formula::product_block(block, c, seconds);
}

__attribute__((target("avx512f,prefer-vector-width=512"))) void product_avx512(const ProductBlock& block,
                                                                               const ProductCoefficients& c,
                                                                               double* seconds) {
    formula::product_block(block, c, seconds);
}
#endif

}  // namespace

ProductKernel product_kernel() {
#if defined(PERFMODEL_X86)
    const char* name = active().name;
    if (std::strcmp(name, "avx512") == 0) return product_avx512;
    if (std::strcmp(name, "avx2") == 0) return product_avx2;
#endif
    return product_scalar;  // on 64-bit Arm the compiler's own vector code
}

}  // namespace perfmodel::cpu
