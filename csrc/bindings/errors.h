// Translation of the C++ core's errors to Python's.
#pragma once

namespace perfmodel::bindings {

// PreconditionError -> ValueError, BufferUseError -> BufferError, ElementTypeError -> TypeError.
void register_errors();

}  // namespace perfmodel::bindings
