# The image loader. JPEG needs libjpeg-turbo, PNG libdeflate; a format whose library is missing is left out.
find_package(JPEG QUIET)
if(JPEG_FOUND)
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_INCLUDES "${JPEG_INCLUDE_DIRS}")
  set(CMAKE_REQUIRED_LIBRARIES "${JPEG_LIBRARIES}")
  check_cxx_source_compiles("
    #include <cstdio>
    #include <jpeglib.h>
    #ifndef LIBJPEG_TURBO_VERSION
    #error another libjpeg
    #endif
    int main() { jpeg_decompress_struct info; jpeg_create_decompress(&info); return 0; }" PERFMODEL_JPEG_IS_TURBO)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()
find_path(DEFLATE_INCLUDE_DIR libdeflate.h)
find_library(DEFLATE_LIBRARY deflate)
find_path(NVTX_INCLUDE_DIR nvtx3/nvToolsExt.h
  HINTS "$ENV{CUDA_HOME}/include" "$ENV{CUDA_PATH}/include" /usr/local/cuda/include
        /usr/local/cuda/targets/x86_64-linux/include /usr/local/cuda/targets/sbsa-linux/include)

add_library(perfmodel_image STATIC
  csrc/cpu/image/batch.cpp
  csrc/cpu/image/cosine_avx2.cpp
  csrc/cpu/image/crew.cpp
  csrc/cpu/image/exif.cpp
  csrc/cpu/image/filters.cpp
  csrc/cpu/image/geometry.cpp
  csrc/cpu/image/jitter.cpp
  csrc/cpu/image/jpeg_segments.cpp
  csrc/cpu/image/kernels.cpp
  csrc/cpu/image/kernels_scalar.cpp
  csrc/cpu/image/limit.cpp
  csrc/cpu/image/paeth_avx2.cpp
  csrc/cpu/image/pixels_avx2.cpp
  csrc/cpu/image/pixels_neon.cpp
  csrc/cpu/image/pool.cpp
  csrc/cpu/image/resample_avx2.cpp
  csrc/cpu/image/resample_avx512.cpp
  csrc/cpu/image/resample_neon.cpp
  csrc/cpu/image/resampler.cpp
  csrc/cpu/image/sample.cpp
  csrc/cpu/image/source.cpp
  csrc/cpu/image/stages.cpp
  csrc/cpu/image/tap_cache.cpp
  csrc/cpu/image/taps.cpp
  csrc/cpu/image/unfilter_avx2.cpp
  csrc/cpu/image/unfilter_neon.cpp
  csrc/cpu/image/write.cpp)
target_link_libraries(perfmodel_image PUBLIC perfmodel_cpu)
# Without contraction every instruction set rounds alike.
target_compile_options(perfmodel_image PRIVATE -O3 -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # As for the other AVX-512 code: undefined lanes inside GCC 12's own header.
  set_source_files_properties(csrc/cpu/image/resample_avx512.cpp PROPERTIES COMPILE_OPTIONS -Wno-maybe-uninitialized)
endif()
# Moving the few values of the bit reader through vector registers would double the time of reading bits.
set_source_files_properties(csrc/cpu/image/baseline.cpp PROPERTIES COMPILE_OPTIONS -fno-tree-slp-vectorize)
if(JPEG_FOUND AND PERFMODEL_JPEG_IS_TURBO)
  target_sources(perfmodel_image PRIVATE
    csrc/cpu/image/baseline.cpp
    csrc/cpu/image/huffman.cpp
    csrc/cpu/image/jpeg.cpp
    csrc/cpu/image/jpeg_cmyk.cpp
    csrc/cpu/image/jpeg_planes.cpp
    csrc/cpu/image/jpeg_rgb.cpp
    csrc/cpu/image/jpeg_state.cpp
    csrc/cpu/image/scan_data.cpp)
  target_compile_definitions(perfmodel_image PUBLIC PERFMODEL_JPEG=1)
  target_link_libraries(perfmodel_image PUBLIC JPEG::JPEG)
else()
  message(NOTICE "perfmodel: libjpeg-turbo was not found: the native loader reads no JPEG")
endif()
if(DEFLATE_INCLUDE_DIR AND DEFLATE_LIBRARY)
  target_sources(perfmodel_image PRIVATE
    csrc/cpu/image/png.cpp
    csrc/cpu/image/png_chunks.cpp
    csrc/cpu/image/png_rows.cpp)
  target_compile_definitions(perfmodel_image PUBLIC PERFMODEL_PNG=1)
  target_include_directories(perfmodel_image SYSTEM PRIVATE "${DEFLATE_INCLUDE_DIR}")
  target_link_libraries(perfmodel_image PUBLIC "${DEFLATE_LIBRARY}")
else()
  message(NOTICE "perfmodel: libdeflate was not found: the native loader reads no PNG")
endif()
if(NVTX_INCLUDE_DIR)
  target_include_directories(perfmodel_image SYSTEM PRIVATE "${NVTX_INCLUDE_DIR}")
  target_compile_definitions(perfmodel_image PRIVATE PERFMODEL_NVTX=1)
  target_link_libraries(perfmodel_image PUBLIC ${CMAKE_DL_LIBS})
endif()
