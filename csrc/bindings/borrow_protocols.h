// The two ways of borrowing; borrow() chooses between them.
#pragma once

#include <memory>

#include "bindings/borrow.h"

namespace perfmodel::bindings {

// Borrows by the buffer protocol.
std::shared_ptr<Borrowed> borrow_by_buffer(pybind11::handle object, bool writable);

// Borrows from an object with __dlpack__ and __dlpack_device__.
std::shared_ptr<Borrowed> borrow_by_dlpack(pybind11::handle object, bool writable);

// Borrows from a "dltensor" or "dltensor_versioned" capsule, which is consumed.
std::shared_ptr<Borrowed> borrow_capsule(pybind11::handle capsule, bool writable);

}  // namespace perfmodel::bindings
