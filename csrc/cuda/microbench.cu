#include "common/error.h"
#include "cuda/check.h"
#include "cuda/device.h"
#include "cuda/microbench.h"
#include "cuda/resources.h"

namespace perfmodel::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kBlocksPerSm = 16;
constexpr int kWarmUp = 2;

__device__ std::size_t first_index() {
    return static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ std::size_t grid_stride() {
    return static_cast<std::size_t>(gridDim.x) * blockDim.x;
}

__global__ void fill_kernel(float4* out, std::size_t n, float seed) {
    for (std::size_t i = first_index(); i < n; i += grid_stride()) {
        const float base = seed + static_cast<float>(i % 8191) * 0.37F;
        out[i] = make_float4(base, base * 1.5F, base - 3.0F, base + 0.25F);
    }
}

__global__ void copy_kernel(float4* __restrict__ out, const float4* __restrict__ a, std::size_t n) {
    for (std::size_t i = first_index(); i < n; i += grid_stride()) out[i] = a[i];
}

__global__ void triad_kernel(float4* __restrict__ out, const float4* __restrict__ a,
                             const float4* __restrict__ b, float scale, std::size_t n) {
    for (std::size_t i = first_index(); i < n; i += grid_stride()) {
        const float4 x = a[i];
        const float4 y = b[i];
        out[i] = make_float4(x.x + scale * y.x, x.y + scale * y.y, x.z + scale * y.z, x.w + scale * y.w);
    }
}

// The sum is written only where it is NaN, which the filled data never gives: the loads stay, the store goes.
__global__ void read_kernel(float4* __restrict__ out, const float4* __restrict__ a, std::size_t n) {
    float total = 0.0F;
    for (std::size_t i = first_index(); i < n; i += grid_stride()) {
        const float4 x = a[i];
        total += (x.x + x.y) + (x.z + x.w);
    }
    if (total != total) out[0] = make_float4(total, total, total, total);
}

__global__ void empty_kernel() {}

struct Arrays {
    DeviceArray<float4> out;
    DeviceArray<float4> a;
    DeviceArray<float4> b;

    Arrays(std::size_t n, bool two_inputs) : out(n), a(n), b(two_inputs ? n : 1) {}
};

void launch(Pattern pattern, const Arrays& arrays, int blocks, const Stream& stream) {
    const std::size_t n = arrays.a.size();
    switch (pattern) {
        case Pattern::read:
            read_kernel<<<blocks, kThreads, 0, stream.get()>>>(arrays.out.get(), arrays.a.get(), n);
            break;
        case Pattern::copy:
            copy_kernel<<<blocks, kThreads, 0, stream.get()>>>(arrays.out.get(), arrays.a.get(), n);
            break;
        case Pattern::triad:
            triad_kernel<<<blocks, kThreads, 0, stream.get()>>>(arrays.out.get(), arrays.a.get(),
                                                                arrays.b.get(), 3.0F, n);
            break;
    }
    PERFMODEL_CUDA_CALL(cudaGetLastError());
}

void fill(const DeviceArray<float4>& array, float seed, int blocks, const Stream& stream) {
    fill_kernel<<<blocks, kThreads, 0, stream.get()>>>(array.get(), array.size(), seed);
    PERFMODEL_CUDA_CALL(cudaGetLastError());
}

double bytes_moved(Pattern pattern, std::size_t bytes_per_array) {
    const double arrays = pattern == Pattern::read ? 1.0 : pattern == Pattern::copy ? 2.0 : 3.0;
    return arrays * static_cast<double>(bytes_per_array);
}

double time_pass(Pattern pattern, const Arrays& arrays, int blocks, const Stream& stream) {
    const Event start;
    const Event stop;
    start.record(stream);
    launch(pattern, arrays, blocks, stream);
    stop.record(stream);
    stop.synchronize();
    return stop.seconds_since(start);
}

double time_launches(int launches, const Stream& stream) {
    const Event start;
    const Event stop;
    start.record(stream);
    for (int i = 0; i < launches; ++i) empty_kernel<<<1, 1, 0, stream.get()>>>();
    PERFMODEL_CUDA_CALL(cudaGetLastError());
    stop.record(stream);
    stop.synchronize();
    return stop.seconds_since(start) / launches;
}

}  // namespace

BandwidthResult bandwidth(int device, Pattern pattern, std::size_t bytes_per_array, int repeats) {
    PERFMODEL_EXPECTS(bytes_per_array >= sizeof(float4) && bytes_per_array % sizeof(float4) == 0,
                      "bytes_per_array must be a positive multiple of 16");
    PERFMODEL_EXPECTS(repeats >= 1 && repeats <= 100000, "repeats must be from 1 to 100000");
    const DeviceInfo info = device_info(device);
    const DeviceGuard guard(device);
    const Stream stream;
    const Arrays arrays(bytes_per_array / sizeof(float4), pattern == Pattern::triad);
    const int blocks = info.sm * kBlocksPerSm;
    fill(arrays.a, 1.0F, blocks, stream);
    fill(arrays.b, 2.0F, blocks, stream);
    for (int i = 0; i < kWarmUp; ++i) launch(pattern, arrays, blocks, stream);
    BandwidthResult result{bytes_moved(pattern, bytes_per_array), {}};
    for (int i = 0; i < repeats; ++i) result.seconds.push_back(time_pass(pattern, arrays, blocks, stream));
    return result;
}

std::vector<double> launch_time(int device, int launches, int repeats) {
    PERFMODEL_EXPECTS(launches >= 1 && launches <= 100000, "launches must be from 1 to 100000");
    PERFMODEL_EXPECTS(repeats >= 1 && repeats <= 100000, "repeats must be from 1 to 100000");
    device_info(device);
    const DeviceGuard guard(device);
    const Stream stream;
    time_launches(launches, stream);
    std::vector<double> seconds;
    for (int i = 0; i < repeats; ++i) seconds.push_back(time_launches(launches, stream));
    return seconds;
}

}  // namespace perfmodel::cuda
