// perfmodel._cuda: importable without a GPU; every call that needs one raises CudaUnavailableError with the
// reason.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/errors.h"
#include "bindings/gil.h"
#include "bindings/preprocess.h"
#include "common/error.h"
#include "cuda/check.h"
#include "cuda/device.h"
#include "cuda/microbench.h"

namespace py = pybind11;

namespace {

using perfmodel::cuda::Pattern;

py::dict device_dict(int index) {
    const perfmodel::cuda::DeviceInfo info = perfmodel::cuda::device_info(index);
    py::dict result;
    result["name"] = info.name;
    result["compute_capability"] = py::make_tuple(info.major, info.minor);
    result["sm"] = info.sm;
    result["memory_bytes"] = info.memory_bytes;
    result["l2_bytes"] = info.l2_bytes;
    result["shared_per_sm_bytes"] = info.shared_per_sm_bytes;
    result["registers_per_sm"] = info.registers_per_sm;
    result["threads_per_sm"] = info.threads_per_sm;
    result["memory_bus_bits"] = info.memory_bus_bits;
    result["clock_khz"] = info.clock_khz;
    result["memory_clock_khz"] = info.memory_clock_khz;
    return result;
}

Pattern parse_pattern(const std::string& name) {
    if (name == "read") return Pattern::read;
    if (name == "copy") return Pattern::copy;
    if (name == "triad") return Pattern::triad;
    throw perfmodel::PreconditionError("no pattern '" + name + "'; known: read, copy, triad");
}

py::tuple bandwidth(const std::string& pattern, std::size_t bytes_per_array, int repeats, int device) {
    const Pattern parsed = parse_pattern(pattern);
    perfmodel::cuda::BandwidthResult result;
    {
        const py::gil_scoped_release release;
        result = perfmodel::cuda::bandwidth(device, parsed, bytes_per_array, repeats);
    }
    return py::make_tuple(result.bytes, result.seconds);
}

void raise_unavailable(const char* reason) {
    const py::object type = py::module_::import("perfmodel.errors").attr("CudaUnavailableError");
    const py::object error = type(reason, "run this on a machine with an NVIDIA GPU and its driver");
    PyErr_SetObject(type.ptr(), error.ptr());
}

void register_cuda_errors() {
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const perfmodel::cuda::CudaUnavailable& error) {
            raise_unavailable(error.what());
        }
    });
}

}  // namespace

PYBIND11_MODULE(_cuda, module) {
    module.doc() = "Native CUDA kernels: device query, microbenchmarks, preprocessing of images.";
    module.attr("__version__") = PERFMODEL_VERSION;
    module.attr("architectures") = PERFMODEL_CUDA_ARCHITECTURES;
    perfmodel::bindings::register_errors();
    perfmodel::bindings::register_gil();
    register_cuda_errors();
    perfmodel::bindings::register_preprocess(module);
    module.def("driver_version", &perfmodel::cuda::driver_version,
               "CUDA version of the driver, 0 without one.");
    module.def("runtime_version", &perfmodel::cuda::runtime_version,
               "CUDA version of the runtime linked in.");
    module.def("device_count", &perfmodel::cuda::device_count, "Number of GPUs.");
    module.def("device_info", &device_dict, py::arg("device") = 0, "Properties of one GPU.");
    module.def("bandwidth", &bandwidth, py::arg("pattern"), py::arg("bytes_per_array"), py::kw_only(),
               py::arg("repeats") = 20, py::arg("device") = 0,
               "Time passes over device memory: (bytes moved by one pass, seconds of each).");
    module.def("launch_time", &perfmodel::cuda::launch_time, py::kw_only(), py::arg("device") = 0,
               py::arg("launches") = 1000, py::arg("repeats") = 11, py::call_guard<py::gil_scoped_release>(),
               "Seconds per launch of an empty kernel, once for each repeat.");
}
