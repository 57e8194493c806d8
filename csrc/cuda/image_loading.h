// From encoded images to a batch on the GPU: decoded by threads of the host or by nvJPEG, then preprocessed.
#pragma once

#include <memory>
#include <vector>

#include "cpu/image/batch.h"
#include "cuda/nvjpeg_decoder.h"
#include "cuda/preprocessor.h"
#include "preprocess/decode.h"

namespace perfmodel::cuda {

struct LoadedBatch {
    DeviceBatch batch;
    cpu::image::BatchResult result;
    std::size_t by_nvjpeg = 0;  // images that nvJPEG decoded
};

// Loads a batch; samples that fail are zero and named. `nvjpeg` may be null. Returns false where the caller
// was interrupted. The preprocessor's mutex must be held.
bool load_images(Preprocessor& preprocessor, cpu::image::Crew& crew, NvjpegDecoder* nvjpeg,
                 const preprocess::DecodeJob& job, int columns, LoadedBatch& loaded);

}  // namespace perfmodel::cuda
