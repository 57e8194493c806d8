#include "bindings/errors.h"

#include <pybind11/pybind11.h>

#include "common/error.h"

namespace py = pybind11;

namespace perfmodel::bindings {

void register_errors() {
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const PreconditionError& error) {
            py::set_error(PyExc_ValueError, error.what());
        } catch (const BufferUseError& error) {
            py::set_error(PyExc_BufferError, error.what());
        } catch (const ElementTypeError& error) {
            py::set_error(PyExc_TypeError, error.what());
        }
    });
}

}  // namespace perfmodel::bindings
