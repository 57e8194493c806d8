#include "bindings/lend.h"

#include "common/error.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

dlpack::DataType data_type(ElementType type) {
    const auto bits = static_cast<std::uint8_t>(8 * element_size(type));
    switch (type) {
        case ElementType::bfloat16:
            return {dlpack::TypeCode::bfloat, bits, 1};
        case ElementType::float16:
        case ElementType::float32:
        case ElementType::float64:
            return {dlpack::TypeCode::floating, bits, 1};
        case ElementType::boolean:
            return {dlpack::TypeCode::boolean, bits, 1};
        case ElementType::int8:
        case ElementType::int16:
        case ElementType::int32:
        case ElementType::int64:
            return {dlpack::TypeCode::signed_integer, bits, 1};
        default:
            return {dlpack::TypeCode::unsigned_integer, bits, 1};
    }
}

// A loan: the tensor that consumers see, with the arrays that it points to.
template <typename Managed>
struct Loan {
    Managed managed = {};
    Lent lent;
    std::vector<std::int64_t> strides;
};

template <typename Managed>
void end_loan(Managed* managed) {
    delete static_cast<Loan<Managed>*>(managed->manager_context);
}

// For a capsule that nobody consumed; consumers rename those that they take.
template <typename Managed>
void drop_capsule(PyObject* capsule, const char* name) {
    if (PyCapsule_IsValid(capsule, name) == 0) return;
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
    managed->deleter(managed);
}

template <typename Managed>
Managed* make_loan(const Lent& lent) {
    auto loan = std::make_unique<Loan<Managed>>();
    loan->lent = lent;
    for (const std::int64_t stride : contiguous_strides(lent.shape, 1)) loan->strides.push_back(stride);
    dlpack::Tensor& tensor = loan->managed.tensor;
    tensor.data = lent.data;
    tensor.device = lent.device;
    tensor.ndim = static_cast<std::int32_t>(lent.shape.size());
    tensor.dtype = data_type(lent.type);
    tensor.shape = loan->lent.shape.data();
    tensor.strides = loan->strides.data();
    loan->managed.manager_context = loan.get();
    loan->managed.deleter = end_loan<Managed>;
    return &loan.release()->managed;
}

template <typename Managed>
py::capsule wrap(Managed* managed, const char* name, PyCapsule_Destructor destructor) {
    PyObject* capsule = PyCapsule_New(managed, name, destructor);
    if (capsule == nullptr) {
        managed->deleter(managed);
        throw py::error_already_set();
    }
    return py::reinterpret_steal<py::capsule>(capsule);
}

}  // namespace

py::capsule lend_by_dlpack(const Lent& lent, const py::object& max_version) {
    const bool versioned =
        !max_version.is_none() && max_version[py::int_(0)].cast<std::uint32_t>() >= dlpack::kMajorVersion;
    if (!versioned)
        return wrap(make_loan<dlpack::ManagedTensor>(lent), "dltensor",
                    [](PyObject* capsule) { drop_capsule<dlpack::ManagedTensor>(capsule, "dltensor"); });
    auto* managed = make_loan<dlpack::ManagedTensorVersioned>(lent);
    managed->version = {dlpack::kMajorVersion, dlpack::kMinorVersion};
    return wrap(managed, "dltensor_versioned", [](PyObject* capsule) {
        drop_capsule<dlpack::ManagedTensorVersioned>(capsule, "dltensor_versioned");
    });
}

void expect_plain_loan(const Lent& lent, const py::object& dl_device, const py::object& copy) {
    if (!copy.is_none() && copy.cast<bool>()) throw BufferUseError("this memory is lent, not copied");
    if (!dl_device.is_none() && !dl_device.equal(device_tuple(lent.device)))
        throw BufferUseError("this memory is lent on the device that it is on, no other");
}

void expect_room(const BufferView& view, const Lent& lent) {
    PERFMODEL_EXPECTS(
        view.contiguous() && view.shape == lent.shape && element_size(view.type) == element_size(lent.type),
        "the buffer must be contiguous, of shape " + shape_text(lent.shape) + " and elements of " +
            std::to_string(element_size(lent.type)) + " bytes");
}

py::tuple shape_tuple(const std::vector<std::int64_t>& shape) {
    py::tuple result(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) result[i] = shape[i];
    return result;
}

py::tuple device_tuple(dlpack::Device device) {
    return py::make_tuple(static_cast<std::int32_t>(device.device_type), device.device_id);
}

}  // namespace perfmodel::bindings
