// What load() is given, turned into what the C++ core takes.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings/borrow.h"
#include "cpu/image/plan.h"
#include "cpu/image/source.h"

namespace perfmodel::bindings {

// Sources with the buffers that they lie in, which are kept as long.
struct ImageSources {
    std::vector<cpu::image::Source> list;
    std::vector<std::shared_ptr<Borrowed>> buffers;
};

// Paths, and (buffer, offset, length). Throws TypeError for other things, PreconditionError where a part lies
// outside of its buffer.
ImageSources read_image_sources(const pybind11::sequence& sources);

// A C-contiguous structured array of plan_dtype(), kept by the result. Throws PreconditionError otherwise.
pybind11::buffer_info read_image_plan(const pybind11::buffer& plan, std::size_t count);

// The NumPy type of SamplePlan.
pybind11::object image_plan_dtype();

// Where results go. Throws PreconditionError where the buffer is not (count, C, H, W) or (count, H, W, C) of
// a type that batches have, in C order.
cpu::image::Target read_image_target(const Borrowed& out, std::size_t count, const std::string& layout);

// Sets mean and standard deviation, one for each channel or one for all.
void read_normalisation(const pybind11::sequence& mean, const pybind11::sequence& std,
                        cpu::image::Target& target);

}  // namespace perfmodel::bindings
