// The C++ core's error family and its precondition macro. The bindings translate these to Python errors.
#pragma once

#include <stdexcept>
#include <string>

namespace perfmodel {

// A caller broke a precondition (wrong shape, value out of range): ValueError in Python.
class PreconditionError : public std::invalid_argument {
  public:
    using std::invalid_argument::invalid_argument;
};

// A buffer cannot be used (device, type, byte order, strides, access): BufferError in Python.
class BufferUseError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// A buffer's element type is not one that the called operation has: TypeError in Python.
class ElementTypeError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace perfmodel

// Throws PreconditionError with the message when the condition does not hold.
#define PERFMODEL_EXPECTS(condition, message)                \
    do {                                                     \
        if (!(condition)) {                                  \
            throw ::perfmodel::PreconditionError((message)); \
        }                                                    \
    } while (false)
