#include "cuda/device.h"

#include "common/error.h"
#include "cuda/check.h"

namespace perfmodel::cuda {

namespace {

int attribute(cudaDeviceAttr which, int index) {
    int value = 0;
    PERFMODEL_CUDA_CALL(cudaDeviceGetAttribute(&value, which, index));
    return value;
}

}  // namespace

int driver_version() {
    int version = 0;
    PERFMODEL_CUDA_CALL(cudaDriverGetVersion(&version));
    return version;
}

int runtime_version() {
    int version = 0;
    PERFMODEL_CUDA_CALL(cudaRuntimeGetVersion(&version));
    return version;
}

int device_count() {
    if (driver_version() == 0) throw CudaUnavailable("no NVIDIA driver is loaded on this machine");
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) {
        static_cast<void>(cudaGetLastError());
        throw CudaUnavailable(std::string("the NVIDIA driver reports ") + cudaGetErrorName(status) + " (" +
                              cudaGetErrorString(status) + ")");
    }
    if (count == 0) throw CudaUnavailable("the NVIDIA driver sees no GPU");
    return count;
}

DeviceInfo device_info(int index) {
    const int count = device_count();
    PERFMODEL_EXPECTS(index >= 0 && index < count,
                      "no GPU " + std::to_string(index) + "; this machine has " + std::to_string(count));
    cudaDeviceProp properties{};
    PERFMODEL_CUDA_CALL(cudaGetDeviceProperties(&properties, index));
    DeviceInfo info;
    info.name = properties.name;
    info.major = properties.major;
    info.minor = properties.minor;
    info.sm = properties.multiProcessorCount;
    info.memory_bytes = properties.totalGlobalMem;
    info.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
    info.shared_per_sm_bytes = properties.sharedMemPerMultiprocessor;
    info.registers_per_sm = properties.regsPerMultiprocessor;
    info.threads_per_sm = properties.maxThreadsPerMultiProcessor;
    info.memory_bus_bits = properties.memoryBusWidth;
    info.clock_khz = attribute(cudaDevAttrClockRate, index);
    info.memory_clock_khz = attribute(cudaDevAttrMemoryClockRate, index);
    return info;
}

}  // namespace perfmodel::cuda
