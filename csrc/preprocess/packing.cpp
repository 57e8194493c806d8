#include "preprocess/packing.h"

#include <cstring>

namespace perfmodel::preprocess {

namespace {

std::size_t rounded(std::size_t bytes, std::size_t align) {
    return (bytes + align - 1) / align * align;
}

}  // namespace

Packing pack_images(const std::vector<ImageSize>& sizes, std::size_t align, bool pad_rows, std::size_t skew) {
    Packing packing;
    std::size_t at = skew;
    for (const ImageSize& size : sizes) {
        DecodedImage image;
        image.width = size.width;
        image.height = size.height;
        image.planes = size.planes;
        const std::size_t row = static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.planes);
        image.pitch = pad_rows ? rounded(row, align) : row;
        image.offset = at;
        at += rounded(image.pitch * static_cast<std::size_t>(size.height), align);
        packing.images.push_back(image);
    }
    packing.bytes = at;
    return packing;
}

void copy_image(const std::uint8_t* from, const DecodedImage& image, std::uint8_t* pixels) {
    const std::size_t row = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.planes);
    std::uint8_t* to = pixels + image.offset;
    if (image.pitch == row) {
        std::memcpy(to, from, row * static_cast<std::size_t>(image.height));
        return;
    }
    for (int y = 0; y < image.height; ++y, to += image.pitch, from += row) std::memcpy(to, from, row);
}

}  // namespace perfmodel::preprocess
