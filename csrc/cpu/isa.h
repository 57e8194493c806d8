// Run-time choice of instruction set. Every implementation says whether this processor supports it; the
// best supported one is chosen at first use, or the one that PERFMODEL_ISA names.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace perfmodel::cpu {

// The kernels of one instruction set. All pointers may be unaligned; buffers of one call do not overlap.
struct Kernels {
    const char* name;         // "avx512", "avx2", "neon" or "scalar"
    const char* description;  // what the processor must have
    bool (*supported)();      // whether this processor and operating system have it
    // Sum of n floats in double precision; the order of additions depends on the instruction set.
    double (*sum_float)(const float* values, std::size_t n);
    // out[i] = a[i] + scale * b[i]
    void (*triad_float)(float* out, const float* a, const float* b, float scale, std::size_t n);
    // Runs `rounds` rounds of independent fused multiply-adds in registers, returns a value that depends
    // on all of them; flops_per_round says how many operations a round is (2 per multiply-add).
    float (*fma_float)(std::size_t rounds, float seed);
    std::size_t flops_per_round;
};

// All implementations compiled into this build, best first; "scalar" is always there and last.
const std::vector<const Kernels*>& implementations();

// The implementation in use. Chosen at first call: PERFMODEL_ISA where it is set, otherwise the best
// supported one. Throws PreconditionError where PERFMODEL_ISA names none of this build or one that this
// processor lacks.
const Kernels& active();

// Finds an implementation by name and checks that it runs here; throws PreconditionError otherwise.
const Kernels& require(const std::string& name);

}  // namespace perfmodel::cpu
