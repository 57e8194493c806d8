// CUDA's errors as C++ exceptions.
#pragma once

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

namespace perfmodel::cuda {

// A CUDA call failed: RuntimeError in Python.
class CudaError : public std::runtime_error {
  public:
    CudaError(cudaError_t code, const char* call, const char* file, int line);

    cudaError_t code() const { return code_; }

  private:
    cudaError_t code_;
};

// There is no usable GPU or driver: perfmodel.errors.CudaUnavailableError in Python.
class CudaUnavailable : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace perfmodel::cuda

// Makes a CUDA call; where it fails, clears the sticky error and throws CudaError with the call, the file,
// the line and the error's name.
#define PERFMODEL_CUDA_CALL(call)                                                            \
    do {                                                                                     \
        const cudaError_t perfmodel_status = (call);                                         \
        if (perfmodel_status != cudaSuccess) {                                               \
            static_cast<void>(cudaGetLastError());                                           \
            throw ::perfmodel::cuda::CudaError(perfmodel_status, #call, __FILE__, __LINE__); \
        }                                                                                    \
    } while (false)
