// Product times for Python.
#pragma once

#include <pybind11/pybind11.h>

namespace perfmodel::bindings {

// Adds `ProductCoefficients`, `PRODUCT_COLUMNS` and `product_time` to the module.
void register_products(pybind11::module_& module);

}  // namespace perfmodel::bindings
