// Decoded images one behind the other in one buffer.
#pragma once

#include <cstdint>
#include <vector>

#include "preprocess/batch.h"

namespace perfmodel::preprocess {

constexpr std::size_t kPixelAlign = 16;  // of images and rows, so that rows are read in whole words

struct ImageSize {
    int height = 0;
    int width = 0;
    int planes = 0;
};

struct Packing {
    std::vector<DecodedImage> images;
    std::size_t bytes = 0;
};

// Places for images of these sizes: each begins, from `skew` on, at a multiple of `align`, and so does each
// row where `pad_rows` is set.
Packing pack_images(const std::vector<ImageSize>& sizes, std::size_t align, bool pad_rows,
                    std::size_t skew = 0);

// Copies an image whose rows lie without gaps to its place.
void copy_image(const std::uint8_t* from, const DecodedImage& image, std::uint8_t* pixels);

}  // namespace perfmodel::preprocess
