#include "bindings/borrow.h"

#include "bindings/borrow_protocols.h"
#include "common/error.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

py::tuple to_tuple(const std::vector<std::int64_t>& values) {
    py::tuple result(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) result[i] = values[i];
    return result;
}

const char* buffer_format(ElementType type) {
    switch (type) {
        case ElementType::boolean:
            return "?";
        case ElementType::int8:
            return "b";
        case ElementType::int16:
            return "h";
        case ElementType::int32:
            return "i";
        case ElementType::int64:
            return "q";
        case ElementType::uint8:
            return "B";
        case ElementType::uint16:
            return "H";
        case ElementType::uint32:
            return "I";
        case ElementType::uint64:
            return "Q";
        case ElementType::float16:
            return "e";
        case ElementType::float32:
            return "f";
        case ElementType::float64:
            return "d";
        case ElementType::bfloat16:
            break;
    }
    throw ElementTypeError("bfloat16 memory has no buffer format; view it as uint16 before borrowing");
}

py::buffer_info export_buffer(const Borrowed& borrowed) {
    const BufferView& view = borrowed.view();
    const std::vector<py::ssize_t> shape(view.shape.begin(), view.shape.end());
    const std::vector<py::ssize_t> strides(view.strides.begin(), view.strides.end());
    return {view.data,
            static_cast<py::ssize_t>(element_size(view.type)),
            buffer_format(view.type),
            static_cast<py::ssize_t>(shape.size()),
            shape,
            strides,
            view.readonly};
}

std::string describe(const Borrowed& borrowed) {
    const BufferView& view = borrowed.view();
    return "<Borrowed " + std::string(element_name(view.type)) + " " + shape_text(view.shape) + " by " +
           borrowed.protocol() + (view.readonly ? ", read-only>" : ">");
}

}  // namespace

std::shared_ptr<Borrowed> borrow(py::handle object, bool writable) {
    if (PyCapsule_CheckExact(object.ptr())) return borrow_capsule(object, writable);
    if (PyObject_CheckBuffer(object.ptr()) != 0) return borrow_by_buffer(object, writable);
    if (py::hasattr(object, "__dlpack__")) return borrow_by_dlpack(object, writable);
    throw py::type_error("'" + std::string(Py_TYPE(object.ptr())->tp_name) +
                         "' lends no memory: it has neither the buffer protocol nor __dlpack__");
}

void register_borrow(py::module_& module) {
    py::class_<Borrowed, std::shared_ptr<Borrowed>>(
        module, "Borrowed", py::buffer_protocol(),
        "Host memory lent by another object, kept alive by this one.")
        .def_property_readonly(
            "address",
            [](const Borrowed& self) { return reinterpret_cast<std::uintptr_t>(self.view().data); })
        .def_property_readonly("shape", [](const Borrowed& self) { return to_tuple(self.view().shape); })
        .def_property_readonly("strides", [](const Borrowed& self) { return to_tuple(self.view().strides); })
        .def_property_readonly("dtype", [](const Borrowed& self) { return element_name(self.view().type); })
        .def_property_readonly("device", [](const Borrowed&) { return "cpu"; })
        .def_property_readonly("readonly", [](const Borrowed& self) { return self.view().readonly; })
        .def_property_readonly("contiguous", [](const Borrowed& self) { return self.view().contiguous(); })
        .def_property_readonly("nbytes", [](const Borrowed& self) { return self.view().nbytes(); })
        .def_property_readonly("protocol", [](const Borrowed& self) { return self.protocol(); })
        .def_buffer([](const Borrowed& self) { return export_buffer(self); })
        .def("__repr__", &describe);
    module.def("borrow", &borrow, py::arg("object"), py::kw_only(), py::arg("writable") = false,
               "Borrow an object's host memory without a copy.");
}

}  // namespace perfmodel::bindings
