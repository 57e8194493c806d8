#include "cpu/image/scan_data.h"

#include <cstring>

namespace perfmodel::cpu::image {

void ScanData::begin(Encoded encoded) {
    rest_ = encoded;
    bytes_.reserve(encoded.size + BitReader::kPadding);
}

BitReader ScanData::next(int& marker) {
    const std::uint8_t* at = rest_.data;
    const std::uint8_t* end = at + rest_.size;
    std::uint8_t* out = bytes_.get();
    marker = 0;
    while (at < end) {
        const void* found = std::memchr(at, 0xFF, static_cast<std::size_t>(end - at));
        const std::uint8_t* stop = found == nullptr ? end : static_cast<const std::uint8_t*>(found);
        const auto bytes = static_cast<std::size_t>(stop - at);
        std::memcpy(out, at, bytes);
        out += bytes;
        at = stop;
        if (end - at < 2) {
            at = end;
        } else if (at[1] == 0) {
            *out++ = 0xFF;
            at += 2;
        } else {
            marker = at[1];
            at += 2;
            break;
        }
    }
    std::memset(out, 0, BitReader::kPadding);
    rest_ = {at, static_cast<std::size_t>(end - at)};
    return {bytes_.get(), static_cast<std::size_t>(out - bytes_.get())};
}

}  // namespace perfmodel::cpu::image
