// Leaving Python's lock for long work, in a way that survives the interpreter's end. A daemon thread that
// wants the lock back while the interpreter ends is killed inside that call, which C++ frames do not survive:
// such threads are parked for good instead.
#pragma once

#include <pybind11/pybind11.h>

namespace perfmodel::bindings {

// Without the lock from construction to destruction.
class WithoutGil {
  public:
    WithoutGil() : state_(PyEval_SaveThread()) {}
    ~WithoutGil();
    WithoutGil(const WithoutGil&) = delete;
    WithoutGil& operator=(const WithoutGil&) = delete;

    // Whether a signal, such as that of Ctrl-C, raised an error, which is then set. False where the
    // interpreter ends.
    bool signalled();

  private:
    PyThreadState* state_;
};

// Makes the interpreter's end wait for threads that are about to take the lock back.
void register_gil();

}  // namespace perfmodel::bindings
