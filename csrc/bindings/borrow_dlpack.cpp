// Borrowing by DLPack, with and without version.
#include <cstring>
#include <optional>

#include "bindings/borrow_protocols.h"
#include "common/dlpack.h"
#include "common/error.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

constexpr const char* kPlain = "dltensor";
constexpr const char* kPlainUsed = "used_dltensor";
constexpr const char* kVersioned = "dltensor_versioned";
constexpr const char* kVersionedUsed = "used_dltensor_versioned";

std::string device_text(dlpack::Device device) {
    const auto number = static_cast<std::int32_t>(device.device_type);
    switch (device.device_type) {
        case dlpack::DeviceType::cpu:
            return "cpu";
        case dlpack::DeviceType::cuda:
            return "cuda:" + std::to_string(device.device_id);
        case dlpack::DeviceType::rocm:
            return "rocm:" + std::to_string(device.device_id);
        case dlpack::DeviceType::metal:
            return "metal:" + std::to_string(device.device_id);
        default:
            return "DLPack device " + std::to_string(number) + ":" + std::to_string(device.device_id);
    }
}

bool host_accessible(dlpack::Device device) {
    switch (device.device_type) {
        case dlpack::DeviceType::cpu:
        case dlpack::DeviceType::cuda_host:
        case dlpack::DeviceType::rocm_host:
            return true;
        default:
            return false;
    }
}

void expect_host(dlpack::Device device) {
    if (!host_accessible(device))
        throw BufferUseError("the memory is on " + device_text(device) +
                             ", not in host memory; copy it there first");
}

std::optional<ElementType> integer_type(bool is_signed, int bits) {
    switch (bits) {
        case 8:
            return is_signed ? ElementType::int8 : ElementType::uint8;
        case 16:
            return is_signed ? ElementType::int16 : ElementType::uint16;
        case 32:
            return is_signed ? ElementType::int32 : ElementType::uint32;
        case 64:
            return is_signed ? ElementType::int64 : ElementType::uint64;
        default:
            return std::nullopt;
    }
}

std::optional<ElementType> float_type(int bits) {
    switch (bits) {
        case 16:
            return ElementType::float16;
        case 32:
            return ElementType::float32;
        case 64:
            return ElementType::float64;
        default:
            return std::nullopt;
    }
}

std::optional<ElementType> find_type(dlpack::DataType type) {
    if (type.lanes != 1) return std::nullopt;
    switch (type.code) {
        case dlpack::TypeCode::signed_integer:
            return integer_type(true, type.bits);
        case dlpack::TypeCode::unsigned_integer:
            return integer_type(false, type.bits);
        case dlpack::TypeCode::floating:
            return float_type(type.bits);
        case dlpack::TypeCode::bfloat:
            return type.bits == 16 ? std::optional(ElementType::bfloat16) : std::nullopt;
        case dlpack::TypeCode::boolean:
            return type.bits == 8 ? std::optional(ElementType::boolean) : std::nullopt;
        default:
            return std::nullopt;
    }
}

ElementType element_type(dlpack::DataType type) {
    const std::optional<ElementType> found = find_type(type);
    if (found) return *found;
    throw ElementTypeError("elements of DLPack type code " + std::to_string(static_cast<int>(type.code)) +
                           ", " + std::to_string(type.bits) + " bits, " + std::to_string(type.lanes) +
                           " lanes are not supported");
}

BufferView read_tensor(const dlpack::Tensor& tensor, bool readonly) {
    expect_host(tensor.device);
    if (tensor.ndim < 0) throw BufferUseError("the DLPack tensor has a negative number of axes");
    BufferView view;
    view.type = element_type(tensor.dtype);
    const auto size = static_cast<std::int64_t>(element_size(view.type));
    if (tensor.data != nullptr) view.data = static_cast<std::byte*>(tensor.data) + tensor.byte_offset;
    if (tensor.ndim > 0) view.shape.assign(tensor.shape, tensor.shape + tensor.ndim);
    if (tensor.strides == nullptr) {
        view.strides = contiguous_strides(view.shape, static_cast<std::size_t>(size));
    } else {
        for (std::int32_t axis = 0; axis < tensor.ndim; ++axis) {
            const std::int64_t stride = tensor.strides[axis];
            if (stride > INT64_MAX / size || stride < INT64_MIN / size)
                throw BufferUseError("the buffer's strides overflow 64 bits");
            view.strides.push_back(stride * size);
        }
    }
    view.readonly = readonly;
    validate(view);
    return view;
}

void expect_writable(const BufferView& view, bool writable) {
    if (writable && view.readonly) throw BufferUseError("the buffer is read-only, and it must be written to");
}

// Owns a DLPack tensor of either layout and calls its deleter once.
template <typename Managed>
class BorrowedTensor final : public Borrowed {
  public:
    BorrowedTensor(Managed* managed, BufferView view) : Borrowed("dlpack"), managed_(managed) {
        view_ = std::move(view);
    }

    ~BorrowedTensor() override {
        const py::gil_scoped_acquire gil;
        if (managed_->deleter != nullptr) managed_->deleter(managed_);
    }

  private:
    Managed* managed_;
};

// Takes the tensor out of its capsule. Until the capsule is renamed it still owns the tensor, so that every
// error before leaves it to the capsule's own destructor.
template <typename Managed>
std::shared_ptr<Borrowed> consume(PyObject* capsule, const char* name, const char* used, bool readonly,
                                  bool writable) {
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
    if (managed == nullptr) throw py::error_already_set();
    BufferView view = read_tensor(managed->tensor, readonly);
    expect_writable(view, writable);
    auto borrowed = std::make_unique<BorrowedTensor<Managed>>(managed, std::move(view));
    if (PyCapsule_SetName(capsule, used) != 0) {
        static_cast<void>(borrowed.release());  // the capsule still owns the tensor
        throw py::error_already_set();
    }
    return borrowed;
}

std::shared_ptr<Borrowed> consume_versioned(PyObject* capsule, bool writable) {
    const auto* managed =
        static_cast<dlpack::ManagedTensorVersioned*>(PyCapsule_GetPointer(capsule, kVersioned));
    if (managed == nullptr) throw py::error_already_set();
    if (managed->version.major != dlpack::kMajorVersion)
        throw BufferUseError("the capsule has DLPack version " + std::to_string(managed->version.major) +
                             "." + std::to_string(managed->version.minor) + ", only version 1 is read");
    const bool readonly = (managed->flags & dlpack::kFlagReadOnly) != 0;
    return consume<dlpack::ManagedTensorVersioned>(capsule, kVersioned, kVersionedUsed, readonly, writable);
}

// Asks for a versioned capsule, and for a plain one where the exporter knows no versions.
py::object export_capsule(py::handle object) {
    const py::object method = object.attr("__dlpack__");
    try {
        return method(py::arg("max_version") = py::make_tuple(dlpack::kMajorVersion, dlpack::kMinorVersion));
    } catch (py::error_already_set& error) {
        if (!error.matches(PyExc_TypeError)) throw;
    }
    return method();
}

void check_device(py::handle object) {
    if (!py::hasattr(object, "__dlpack_device__")) return;
    const auto device = py::cast<py::tuple>(object.attr("__dlpack_device__")());
    if (device.size() != 2) throw BufferUseError("__dlpack_device__ did not return a pair");
    expect_host(
        {static_cast<dlpack::DeviceType>(device[0].cast<std::int32_t>()), device[1].cast<std::int32_t>()});
}

}  // namespace

std::shared_ptr<Borrowed> borrow_capsule(py::handle capsule, bool writable) {
    const char* name = PyCapsule_GetName(capsule.ptr());
    if (name == nullptr) {
        PyErr_Clear();
        throw BufferUseError("the capsule has no name; a DLPack capsule is named 'dltensor'");
    }
    if (std::strcmp(name, kPlain) == 0)
        return consume<dlpack::ManagedTensor>(capsule.ptr(), kPlain, kPlainUsed, false, writable);
    if (std::strcmp(name, kVersioned) == 0) return consume_versioned(capsule.ptr(), writable);
    if (std::strcmp(name, kPlainUsed) == 0 || std::strcmp(name, kVersionedUsed) == 0)
        throw BufferUseError("the DLPack capsule was consumed already; ask its owner for a new one");
    throw BufferUseError(std::string("the capsule '") + name + "' is not a DLPack capsule");
}

std::shared_ptr<Borrowed> borrow_by_dlpack(py::handle object, bool writable) {
    check_device(object);
    const py::object capsule = export_capsule(object);
    if (!PyCapsule_CheckExact(capsule.ptr())) throw BufferUseError("__dlpack__ did not return a capsule");
    return borrow_capsule(capsule, writable);
}

}  // namespace perfmodel::bindings
