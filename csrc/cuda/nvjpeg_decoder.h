// JPEG decoding on the GPU by NVIDIA's nvJPEG, where its header was there at build time and its library is at
// run time. The module does not link it: it is opened when it is first asked for.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <string>
#include <vector>

#include "cpu/image/decoder.h"
#include "preprocess/packing.h"

namespace perfmodel::cuda {

class NvjpegDecoder {
  public:
    // Opens the first of these libraries that there is. Null, with the reason in `why`, where there is none,
    // or this build lacks the header. The GPU must be current.
    static std::unique_ptr<NvjpegDecoder> open(const std::vector<std::string>& libraries, std::string& why);

    virtual ~NvjpegDecoder() = default;

    // Whether it is an image that nvJPEG decodes to red, green and blue, or grey, and its size.
    virtual bool inspect(cpu::image::Encoded encoded, preprocess::ImageSize& size) = 0;

    // Queues the decoding of an image to its place among `pixels`, in device memory; false where that fails.
    // The encoded bytes must stay until the stream has passed.
    virtual bool decode(cpu::image::Encoded encoded, const preprocess::DecodedImage& image,
                        std::uint8_t* pixels, cudaStream_t stream) = 0;
};

}  // namespace perfmodel::cuda
