#include "cuda/check.h"

namespace perfmodel::cuda {

CudaError::CudaError(cudaError_t code, const char* call, const char* file, int line)
    : std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + cudaGetErrorName(code) +
                         " (" + cudaGetErrorString(code) + ") in " + call),
      code_(code) {}

}  // namespace perfmodel::cuda
