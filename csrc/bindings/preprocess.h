// Transforming decoded images with the kernels of csrc/preprocess.
#pragma once

#include <pybind11/pybind11.h>

namespace perfmodel::bindings {

// Adds `preprocess_on_host` and `HostBatch` to perfmodel._cpu.
void register_preprocess_on_host(pybind11::module_& module);

// Adds `ImagePreprocessor` and `DeviceBatch` to perfmodel._cuda.
void register_preprocess(pybind11::module_& module);

}  // namespace perfmodel::bindings
