// Borrowing by the buffer protocol (PEP 3118).
#include <cctype>
#include <cstring>

#include "bindings/borrow_protocols.h"
#include "common/error.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

bool host_is_little_endian() {
    const std::uint16_t one = 1;
    unsigned char first = 0;
    std::memcpy(&first, &one, 1);
    return first == 1;
}

ElementType signed_type(Py_ssize_t size) {
    switch (size) {
        case 1:
            return ElementType::int8;
        case 2:
            return ElementType::int16;
        case 4:
            return ElementType::int32;
        default:
            return ElementType::int64;
    }
}

ElementType unsigned_type(Py_ssize_t size) {
    switch (size) {
        case 1:
            return ElementType::uint8;
        case 2:
            return ElementType::uint16;
        case 4:
            return ElementType::uint32;
        default:
            return ElementType::uint64;
    }
}

[[noreturn]] void unsupported(const std::string& format) {
    throw ElementTypeError("elements of format '" + format +
                           "' are not supported; use bool, (u)int8 to (u)int64, " +
                           "float16, float32 or float64");
}

// Reads a struct-module format of one element; null means unsigned bytes.
ElementType parse_format(const char* format, Py_ssize_t itemsize) {
    const std::string text = format == nullptr ? "B" : format;
    std::string code = text;
    if (!code.empty() && std::strchr("@=<>!", code[0]) != nullptr) {
        const bool big = code[0] == '>' || code[0] == '!';
        const bool native = code[0] == '@' || code[0] == '=';
        if (itemsize > 1 && !native && big == host_is_little_endian())
            throw BufferUseError("the buffer has the other byte order (format '" + text +
                                 "'); pass a copy in native order");
        code.erase(0, 1);
    }
    if (code.size() != 1) unsupported(text);
    ElementType type = ElementType::uint8;
    switch (code[0]) {
        case '?':
            type = ElementType::boolean;
            break;
        case 'b':
        case 'h':
        case 'i':
        case 'l':
        case 'q':
        case 'n':
            type = signed_type(itemsize);
            break;
        case 'B':
        case 'c':
        case 'H':
        case 'I':
        case 'L':
        case 'Q':
        case 'N':
            type = unsigned_type(itemsize);
            break;
        case 'e':
            type = ElementType::float16;
            break;
        case 'f':
            type = ElementType::float32;
            break;
        case 'd':
            type = ElementType::float64;
            break;
        default:
            unsupported(text);
    }
    if (static_cast<Py_ssize_t>(element_size(type)) != itemsize) unsupported(text);
    return type;
}

class BorrowedBuffer final : public Borrowed {
  public:
    BorrowedBuffer(py::handle object, bool writable) : Borrowed("buffer") {
        const int flags = PyBUF_STRIDES | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &buffer_, flags) != 0) refuse(writable);
        try {
            fill();
        } catch (...) {
            PyBuffer_Release(&buffer_);
            throw;
        }
    }

    ~BorrowedBuffer() override {
        const py::gil_scoped_acquire gil;
        PyBuffer_Release(&buffer_);
    }

  private:
    // Turns the exporter's own refusal into ours, with its text.
    [[noreturn]] static void refuse(bool writable) {
        const py::error_already_set error;
        if (!error.matches(PyExc_BufferError) && !error.matches(PyExc_ValueError) &&
            !error.matches(PyExc_TypeError))
            throw error;
        const std::string text = py::str(error.value());
        throw BufferUseError(writable ? "the buffer cannot be written to: " + text
                                      : "the buffer cannot be borrowed: " + text);
    }

    void fill() {
        view_.data = buffer_.buf;
        view_.type = parse_format(buffer_.format, buffer_.itemsize);
        view_.readonly = buffer_.readonly != 0;
        view_.shape.assign(buffer_.shape, buffer_.shape + buffer_.ndim);
        if (buffer_.strides != nullptr)
            view_.strides.assign(buffer_.strides, buffer_.strides + buffer_.ndim);
        else
            view_.strides = contiguous_strides(view_.shape, element_size(view_.type));
        validate(view_);
    }

    Py_buffer buffer_ = {};
};

}  // namespace

std::shared_ptr<Borrowed> borrow_by_buffer(py::handle object, bool writable) {
    return std::make_shared<BorrowedBuffer>(object, writable);
}

}  // namespace perfmodel::bindings
