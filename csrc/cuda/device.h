// What GPUs this machine has.
#pragma once

#include <cstddef>
#include <string>

namespace perfmodel::cuda {

struct DeviceInfo {
    std::string name;
    int major;  // compute capability
    int minor;
    int sm;
    std::size_t memory_bytes;
    std::size_t l2_bytes;
    std::size_t shared_per_sm_bytes;
    int registers_per_sm;
    int threads_per_sm;
    int memory_bus_bits;
    int clock_khz;         // peak SM clock
    int memory_clock_khz;  // peak memory clock
};

// Version of the driver's CUDA and of the runtime linked in, as CUDA numbers them (13000 = 13.0); the
// driver's is 0 where there is no driver.
int driver_version();
int runtime_version();

// Number of GPUs; throws CudaUnavailable, with the reason, where there is no driver or no GPU.
int device_count();

// Properties of one GPU; throws CudaUnavailable as device_count() does, PreconditionError for a wrong index.
DeviceInfo device_info(int index);

}  // namespace perfmodel::cuda
