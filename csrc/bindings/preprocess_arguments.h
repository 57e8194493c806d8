// What preprocessing is given, turned into what the C++ core takes; the same for host and GPU.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings/borrow.h"
#include "bindings/lend.h"
#include "cpu/image/plan.h"
#include "preprocess/packing.h"

namespace perfmodel::bindings {

// Decoded images in host memory.
struct HostImages {
    std::vector<std::shared_ptr<Borrowed>> buffers;
    std::vector<preprocess::ImageSize> sizes;
};

// Buffers (H, W, 3), (H, W, 1) or (H, W) of uint8. Throws PreconditionError for other shapes,
// ElementTypeError for other types.
HostImages read_host_images(const pybind11::sequence& images);

// What the outputs are.
struct OutputArguments {
    pybind11::tuple size;  // height, width
    int channels = 3;
    std::string type;
    std::string layout;
    pybind11::sequence mean;
    pybind11::sequence std;
    int filter = 2;
    float cut_fill = 0.0F;
};

// The target without its memory. Throws PreconditionError where arguments make no sense.
cpu::image::Target read_output(const OutputArguments& arguments);

// Shape of a batch of such outputs.
std::vector<std::int64_t> output_shape(const cpu::image::Target& target, std::size_t count);

}  // namespace perfmodel::bindings
