// Where encoded images come from: files, and bytes in memory.
#pragma once

#include <string>

#include "cpu/image/decoder.h"
#include "cpu/image/memory.h"

namespace perfmodel::cpu::image {

struct Source {
    std::string path;  // empty for bytes in memory
    Encoded bytes;
};

// Name of a source for messages.
inline std::string source_name(const Source& source) {
    return source.path.empty() ? "<buffer>" : source.path;
}

// Reads at most `most` bytes of a source into `buffer`, or points at them; never waits for pipes and devices.
// `whole` says whether that was all.
Outcome read_source(const Source& source, std::size_t most, Buffer<std::uint8_t>& buffer, Encoded& encoded,
                    bool& whole);

}  // namespace perfmodel::cpu::image
