// How the loading of one sample ended.
#pragma once

#include <cstdarg>
#include <cstdio>

namespace perfmodel::cpu::image {

enum class Status : int {
    ok = 0,
    cannot_open = 1,  // the file is not there, may not be read, or is no regular file
    unknown = 2,      // not an image format that this build reads
    corrupt = 3,      // truncated or damaged
    too_large = 4,    // more pixels than allowed
    no_memory = 5,
    crop = 6,  // the crop is larger than the image
    cancelled = 7,
};

// A status and, unless it is ok, why. Trivially copyable, so that it may live in a frame that longjmp leaves.
struct Outcome {
    Status status = Status::ok;
    char reason[200] = {};

    bool ok() const { return status == Status::ok; }
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
inline Outcome failure(Status status, const char* format, ...) {
    Outcome outcome;
    outcome.status = status;
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(outcome.reason, sizeof outcome.reason, format, arguments);
    va_end(arguments);
    return outcome;
}

}  // namespace perfmodel::cpu::image
