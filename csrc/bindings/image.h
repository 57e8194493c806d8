// Loading batches of images for Python.
#pragma once

#include <pybind11/pybind11.h>

namespace perfmodel::bindings {

// Adds `ImagePool`, `image_formats` and `plan_dtype` to the module.
void register_image(pybind11::module_& module);

}  // namespace perfmodel::bindings
