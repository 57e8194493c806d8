// Instructions on packed bytes, memory that several blocks share, and what the host does in their place.
#pragma once

#include <cstdint>
#include <cstring>

#include "common/host_device.h"
#include "cpu/image/pixel_math.h"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace perfmodel::preprocess {

struct alignas(16) Quad {
    std::uint32_t word[4];
};

struct alignas(8) Pair {
    std::uint32_t word[2];
};

// Four of the bytes of `low` (0 to 3) and `high` (4 to 7), chosen by the lowest four digits of `selector`.
PERFMODEL_HD std::uint32_t permute(std::uint32_t low, std::uint32_t high, std::uint32_t selector) {
#if defined(__CUDA_ARCH__)
    return __byte_perm(low, high, selector);
#else
    const std::uint64_t both = (static_cast<std::uint64_t>(high) << 32) | low;
    std::uint32_t result = 0;
    for (int i = 0; i < 4; ++i)
        result |= static_cast<std::uint32_t>((both >> (8 * ((selector >> (4 * i)) & 7U))) & 0xFFU) << (8 * i);
    return result;
#endif
}

PERFMODEL_HD std::int32_t signed_half(std::uint32_t pair, int index) {
    return static_cast<std::int16_t>((pair >> (16 * index)) & 0xFFFFU);
}

PERFMODEL_HD std::int32_t byte_of(std::uint32_t word, int index) {
    return static_cast<std::int32_t>((word >> (8 * index)) & 0xFFU);
}

// sum + two signed 16-bit weights times bytes 0 and 1.
PERFMODEL_HD std::int32_t dot_low(std::uint32_t weights, std::uint32_t bytes, std::int32_t sum) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 610
    std::int32_t result;
    asm("dp2a.lo.s32.u32 %0, %1, %2, %3;" : "=r"(result) : "r"(weights), "r"(bytes), "r"(sum));
    return result;
#else
    return sum + signed_half(weights, 0) * byte_of(bytes, 0) + signed_half(weights, 1) * byte_of(bytes, 1);
#endif
}

// The same with bytes 2 and 3.
PERFMODEL_HD std::int32_t dot_high(std::uint32_t weights, std::uint32_t bytes, std::int32_t sum) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 610
    std::int32_t result;
    asm("dp2a.hi.s32.u32 %0, %1, %2, %3;" : "=r"(result) : "r"(weights), "r"(bytes), "r"(sum));
    return result;
#else
    return sum + signed_half(weights, 0) * byte_of(bytes, 2) + signed_half(weights, 1) * byte_of(bytes, 3);
#endif
}

// Sixteen bytes from an address that is a multiple of 16; bytes outside of [begin, end) are not read and
// count as zero.
PERFMODEL_HD Quad load_quad(const std::uint8_t* at, const std::uint8_t* begin, const std::uint8_t* end) {
    Quad result = {{0U, 0U, 0U, 0U}};
    if (at >= begin && end - at >= 16) {
#if defined(__CUDA_ARCH__)
        const uint4 read = __ldg(reinterpret_cast<const uint4*>(at));
        result = {{read.x, read.y, read.z, read.w}};
#else
        std::memcpy(&result, at, sizeof result);
#endif
        return result;
    }
    PERFMODEL_UNROLL
    for (int w = 0; w < 4; ++w) {
        PERFMODEL_ROLL
        for (int i = 0; i < 4; ++i) {
            const std::uint8_t* byte = at + 4 * w + i;
            if (byte >= begin && byte < end) result.word[w] |= static_cast<std::uint32_t>(*byte) << (8 * i);
        }
    }
    return result;
}

// Bits of half precision and of bfloat16, rounded to nearest even, and of single precision.
PERFMODEL_HD std::uint32_t half_of(float value) {
#if defined(__CUDA_ARCH__)
    return __half_as_ushort(__float2half_rn(value));
#else
    return cpu::image::half_bits(value);
#endif
}

PERFMODEL_HD std::uint32_t float_bits(float value) {
#if defined(__CUDA_ARCH__)
    return __float_as_uint(value);
#else
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

// As cpu::image::bfloat_bits; older toolkits have it for newer GPUs only.
PERFMODEL_HD std::uint32_t bfloat_of(float value) {
    const std::uint32_t bits = float_bits(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return (bits >> 16) | 0x40U;
    return (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
}

// Adds the values of all threads of a warp to a total in device memory. To be called by all of them.
PERFMODEL_HD void add_total(unsigned long long* total, std::uint32_t value) {
#if defined(__CUDA_ARCH__)
    for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(0xFFFFFFFFU, value, step);
    if (threadIdx.x % 32 == 0) atomicAdd(total, static_cast<unsigned long long>(value));
#else
    *total += value;
#endif
}

// What other blocks wrote earlier in the same launch.
PERFMODEL_HD unsigned long long load_fresh(const unsigned long long* at) {
#if defined(__CUDA_ARCH__)
    return __ldcg(at);
#else
    return *at;
#endif
}

PERFMODEL_HD std::uint32_t load_fresh(const std::uint32_t* at) {
#if defined(__CUDA_ARCH__)
    return __ldcg(at);
#else
    return *at;
#endif
}

}  // namespace perfmodel::preprocess
