// Functions that run on the host and on a GPU: the GPU's code is compiled and tested without one.
#pragma once

#if defined(__CUDACC__)
#define PERFMODEL_HD __host__ __device__ __forceinline__
#define PERFMODEL_UNROLL _Pragma("unroll")
#define PERFMODEL_ROLL _Pragma("unroll 1")
#else
#define PERFMODEL_HD inline
#define PERFMODEL_UNROLL
#define PERFMODEL_ROLL
#endif
