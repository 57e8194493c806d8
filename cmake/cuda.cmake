# perfmodel._cuda. The user's CUDAARCHS wins; otherwise the architectures follow the toolkit's version, real code
# for each and PTX for what comes later.
if(DEFINED ENV{CUDAARCHS} AND NOT "$ENV{CUDAARCHS}" STREQUAL "")
  set(CMAKE_CUDA_ARCHITECTURES "$ENV{CUDAARCHS}" CACHE STRING "CUDA architectures" FORCE)
elseif(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES OFF)
  set(PERFMODEL_CHOOSE_ARCHITECTURES ON)
endif()

enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
find_package(CUDAToolkit REQUIRED)

if(PERFMODEL_CHOOSE_ARCHITECTURES)
  set(architectures 75-real 80-real 86-real)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13)
    list(PREPEND architectures 50-real 60-real 61-real 70-real)
  endif()
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
    list(PREPEND architectures 37-real)
  endif()
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 11.8)
    list(APPEND architectures 86-virtual)
  else()
    list(APPEND architectures 89-real 90-real 90-virtual)
  endif()
  set(CMAKE_CUDA_ARCHITECTURES "${architectures}")
endif()
message(STATUS "CUDA architectures: ${CMAKE_CUDA_ARCHITECTURES}")

add_library(perfmodel_cuda STATIC
  csrc/cuda/check.cpp
  csrc/cuda/device.cpp
  csrc/cuda/microbench.cu)
target_link_libraries(perfmodel_cuda PUBLIC perfmodel_options CUDA::cudart_static)

pybind11_add_module(_cuda csrc/bindings/cuda_module.cpp csrc/bindings/errors.cpp)
target_link_libraries(_cuda PRIVATE perfmodel_cuda)
string(REPLACE ";" "," architectures_text "${CMAKE_CUDA_ARCHITECTURES}")
target_compile_definitions(_cuda PRIVATE PERFMODEL_CUDA_ARCHITECTURES="${architectures_text}")
