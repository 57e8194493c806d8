// Functions that run on the host and on a GPU: the GPU's code is compiled and tested without one.
#pragma once

#if defined(__CUDACC__)
#define PERFMODEL_HD __host__ __device__ __forceinline__
#else
#define PERFMODEL_HD inline
#endif

// How often the GPU's compiler shall repeat a loop's body; the host's is not told.
#if defined(__CUDA_ARCH__)
#define PERFMODEL_UNROLL _Pragma("unroll")
#define PERFMODEL_UNROLL_TWICE _Pragma("unroll 2")
#define PERFMODEL_ROLL _Pragma("unroll 1")
#else
#define PERFMODEL_UNROLL
#define PERFMODEL_UNROLL_TWICE
#define PERFMODEL_ROLL
#endif
