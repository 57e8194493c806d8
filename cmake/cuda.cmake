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

# nvJPEG: its header decides whether there is code for it; the library is opened when a program asks for it. It comes
# with the toolkit, or with the package nvidia-nvjpeg.
execute_process(
  COMMAND "${Python_EXECUTABLE}" -c "import sysconfig; print(sysconfig.get_path('purelib'))"
  OUTPUT_VARIABLE PERFMODEL_SITE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
find_path(NVJPEG_INCLUDE_DIR nvjpeg.h
  HINTS ${CUDAToolkit_INCLUDE_DIRS} "${PERFMODEL_SITE}/nvidia/cu${CUDAToolkit_VERSION_MAJOR}/include"
        "${PERFMODEL_SITE}/nvidia/nvjpeg/include")

add_library(perfmodel_cuda STATIC
  csrc/cuda/check.cpp
  csrc/cuda/device.cpp
  csrc/cuda/image_loading.cpp
  csrc/cuda/microbench.cu
  csrc/cuda/nvjpeg_decoder.cpp
  csrc/cuda/outputs.cpp
  csrc/cuda/preprocess_kernel.cu
  csrc/cuda/preprocessor.cpp)
target_link_libraries(perfmodel_cuda PUBLIC perfmodel_options perfmodel_preprocess CUDA::cudart_static ${CMAKE_DL_LIBS})
# Products and sums are rounded one by one, so that the GPU gives the bits of the host.
set_source_files_properties(csrc/cuda/preprocess_kernel.cu PROPERTIES COMPILE_OPTIONS "-fmad=false")
if(NVJPEG_INCLUDE_DIR)
  message(STATUS "nvJPEG's header: ${NVJPEG_INCLUDE_DIR}")
  target_include_directories(perfmodel_cuda SYSTEM PRIVATE "${NVJPEG_INCLUDE_DIR}")
  target_compile_definitions(perfmodel_cuda PRIVATE PERFMODEL_NVJPEG=1)
else()
  message(STATUS "nvJPEG's header was not found: images are decoded on the CPU")
endif()

pybind11_add_module(_cuda
  ${PERFMODEL_ARGUMENTS}
  csrc/bindings/cuda_module.cpp
  csrc/bindings/lend_device.cpp
  csrc/bindings/preprocess_cuda.cpp)
target_link_libraries(_cuda PRIVATE perfmodel_cuda)
string(REPLACE ";" "," architectures_text "${CMAKE_CUDA_ARCHITECTURES}")
target_compile_definitions(_cuda PRIVATE PERFMODEL_CUDA_ARCHITECTURES="${architectures_text}")
