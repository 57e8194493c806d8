// Device memory between Python's libraries and the preprocessor, by DLPack and __cuda_array_interface__.
#pragma once

#include <cuda_runtime_api.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>

namespace perfmodel::bindings {

// Bytes on a GPU that a Python object lends; `owner` may be dropped in any thread.
struct DevicePixels {
    const std::uint8_t* data = nullptr;
    std::uint64_t bytes = 0;
    std::shared_ptr<void> owner;
};

// Borrows contiguous uint8 memory of that GPU by DLPack; work that is queued on `stream` from now on sees
// what the owner wrote before. Throws BufferUseError for memory elsewhere, ElementTypeError for other
// elements.
DevicePixels borrow_device_pixels(const pybind11::object& object, int device, cudaStream_t stream);

// Adds `DeviceBatch` to the module.
void register_device_batch(pybind11::module_& module);

}  // namespace perfmodel::bindings
