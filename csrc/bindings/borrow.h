// Borrowing memory from Python objects: the buffer protocol first, then DLPack. No copy is made; the
// exporter is kept alive, and released, by the Borrowed object alone.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "common/buffer.h"

namespace perfmodel::bindings {

// Memory lent by a Python object. Not copyable: exactly one release for each borrow. Created and destroyed
// with the GIL held.
class Borrowed {
  public:
    virtual ~Borrowed() = default;
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;

    const BufferView& view() const { return view_; }
    const std::string& protocol() const { return protocol_; }

  protected:
    explicit Borrowed(std::string protocol) : protocol_(std::move(protocol)) {}

    BufferView view_;
    std::string protocol_;
};

// Borrows from an object with the buffer protocol, an object with __dlpack__, or a DLPack capsule.
//
// Throws BufferUseError where the memory is not in host memory, is read-only and `writable` is asked for,
// has another byte order, negative strides, or comes in a capsule that was used already; ElementTypeError for
// element types that are not supported; TypeError where the object lends no memory at all.
std::shared_ptr<Borrowed> borrow(pybind11::handle object, bool writable);

// Adds `borrow` and the class `Borrowed` to the module.
void register_borrow(pybind11::module_& module);

}  // namespace perfmodel::bindings
