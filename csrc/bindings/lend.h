// Lending memory to Python by DLPack: the opposite of borrow.h.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/buffer.h"
#include "common/dlpack.h"

namespace perfmodel::bindings {

// Memory in C order, and what keeps it alive; the last copy of `owner` may go in any thread, with or without
// the GIL.
struct Lent {
    void* data = nullptr;
    ElementType type = ElementType::uint8;
    std::vector<std::int64_t> shape;
    dlpack::Device device = {dlpack::DeviceType::cpu, 0};
    std::shared_ptr<void> owner;
};

// A capsule for a consumer that knows DLPack up to `max_version` (None: before versions).
pybind11::capsule lend_by_dlpack(const Lent& lent, const pybind11::object& max_version);

// Throws BufferUseError where a consumer asks for a copy or for another device.
void expect_plain_loan(const Lent& lent, const pybind11::object& dl_device, const pybind11::object& copy);

// Throws PreconditionError unless `view` is contiguous and has the loan's shape and size of elements.
void expect_room(const BufferView& view, const Lent& lent);

// Shape and device as Python has them.
pybind11::tuple shape_tuple(const std::vector<std::int64_t>& shape);
pybind11::tuple device_tuple(dlpack::Device device);

}  // namespace perfmodel::bindings
