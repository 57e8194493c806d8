// The tables of kernels, one for each instruction set. Vector code is compiled by function attributes: no
// file is built with flags that the whole processor family does not have.
#pragma once

#include "cpu/isa.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define PERFMODEL_X86 1
#endif
#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#define PERFMODEL_NEON 1
#endif

namespace perfmodel::cpu {

const Kernels& scalar_kernels();
#if defined(PERFMODEL_X86)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
#endif
#if defined(PERFMODEL_NEON)
const Kernels& neon_kernels();
#endif

}  // namespace perfmodel::cpu
