#include "bindings/gil.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

constexpr int kMostTurns = 1000;
constexpr auto kTurn = std::chrono::milliseconds(1);

// Who may still take the lock back. Without a mutex: a process may fork at any moment, and its child goes on.
class Gate {
  public:
    // False once the interpreter ends; leave() has to follow otherwise, with the lock.
    bool enter() {
        ++inside_;
        if (!closed_) return true;
        --inside_;
        return false;
    }

    void leave() { --inside_; }

    // Lets nobody in any more and waits, not for ever: a forked child never sees its parent's threads leave.
    void close() {
        closed_ = true;
        for (int turn = 0; inside_ > 0 && turn < kMostTurns; ++turn) std::this_thread::sleep_for(kTurn);
    }

  private:
    std::atomic<int> inside_{0};
    std::atomic<bool> closed_{false};
};

Gate& gate() {
    static Gate& instance = *new Gate;  // never destroyed: threads use it until the process is gone
    return instance;
}

[[noreturn]] void park() {
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

}  // namespace

WithoutGil::~WithoutGil() {
    if (!gate().enter()) park();
    PyEval_RestoreThread(state_);
    gate().leave();
}

bool WithoutGil::signalled() {
    if (!gate().enter()) return false;
    PyEval_RestoreThread(state_);
    gate().leave();
    const bool raised = PyErr_CheckSignals() != 0;
    state_ = PyEval_SaveThread();
    return raised;
}

void register_gil() {
    py::cpp_function close([] {
        const py::gil_scoped_release release;
        gate().close();
    });
    py::module_::import("atexit").attr("register")(close);
}

}  // namespace perfmodel::bindings
