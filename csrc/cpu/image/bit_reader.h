// Bits of a stretch of a JPEG scan, most significant first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace perfmodel::cpu::image {

class BitReader {
  public:
    // Zero bytes that have to follow the data: more than a block can take, whatever it holds.
    static constexpr std::size_t kPadding = 320;

    BitReader() = default;
    BitReader(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}

    // Makes at least 56 bits available.
    void refill() {
        std::uint64_t word = 0;
        std::memcpy(&word, at_, sizeof word);
        bits_ |= __builtin_bswap64(word) >> count_;
        at_ += (63 - count_) >> 3;
        count_ |= 56;
    }

    // The next `count` bits, 1 to 32, which stay.
    std::uint32_t peek(int count) const { return static_cast<std::uint32_t>(bits_ >> (64 - count)); }

    // What comes next, from the top; at least as much as is available.
    std::uint64_t bits() const { return bits_; }

    // Goes on by at most as many bits as are available.
    void skip(int count) {
        bits_ <<= count;
        count_ -= count;
    }

    // Bits that are left; below 0 where some were used that were not there.
    std::ptrdiff_t left() const { return 8 * (end_ - at_) + count_; }

  private:
    const std::uint8_t* at_ = nullptr;
    const std::uint8_t* end_ = nullptr;
    std::uint64_t bits_ = 0;  // from the top; those beyond count_ are what comes next
    int count_ = 0;
};

}  // namespace perfmodel::cpu::image
