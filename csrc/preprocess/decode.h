// Whole images decoded into one buffer by a crew of threads.
#pragma once

#include <vector>

#include "cpu/image/batch.h"
#include "preprocess/packing.h"

namespace perfmodel::preprocess {

struct DecodeJob {
    const std::vector<cpu::image::Source>& sources;
    const cpu::image::SamplePlan* plans;  // checked
    const cpu::image::Target& target;     // of the batch: decides channels and the limit of pixels
    const cpu::image::Interrupted& interrupted;
};

// Size of each image by its header, with as many planes as are to be decoded; zeros where it cannot be read
// or has too many pixels. Returns false where `interrupted` said so.
bool read_image_sizes(cpu::image::Crew& crew, const DecodeJob& job, std::vector<ImageSize>& sizes);

// Decodes the images of `which` to their places. One that fails has no planes from then on, and a status and
// message in `outcomes`; one that its file's orientation turns has its sides swapped. Returns false as above.
bool decode_images(cpu::image::Crew& crew, const DecodeJob& job, const std::vector<std::size_t>& which,
                   std::vector<DecodedImage>& images, std::uint8_t* pixels,
                   std::vector<cpu::image::Outcome>& outcomes);

}  // namespace perfmodel::preprocess
