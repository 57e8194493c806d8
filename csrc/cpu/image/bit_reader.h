// Bits of a JPEG scan, most significant first, without its stuffed zero bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace perfmodel::cpu::image {

class BitReader {
  public:
    BitReader(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}

    // Makes at least 56 bits available; zeros follow where a marker or the end of the data is reached.
    void refill() {
        if (end_ - at_ >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, at_, sizeof word);
            word = __builtin_bswap64(word);
            if (!has_ff(word)) {
                bits_ |= word >> count_;
                at_ += (63 - count_) >> 3;
                count_ |= 56;
                return;
            }
        }
        refill_slowly();
    }

    // The next `count` bits, 1 to 32, which stay.
    std::uint32_t peek(int count) const { return static_cast<std::uint32_t>(bits_ >> (64 - count)); }

    // Goes on by at most as many bits as are there.
    void skip(int count) {
        bits_ <<= count;
        count_ -= count;
    }

    int available() const { return count_; }

    // Whether bits were used that were not there.
    bool overran() const { return count_ < padding_; }

    // Goes behind the restart marker of that number, which has to come next, after less than a byte of
    // padding.
    bool restart(int number) {
        refill();
        if (count_ - padding_ >= 8 || overran() || end_ - at_ < 2) return false;
        if (at_[0] != 0xFF || at_[1] != 0xD0 + number) return false;
        at_ += 2;
        bits_ = 0;
        count_ = padding_ = 0;
        return true;
    }

    // The first byte that was not taken up.
    const std::uint8_t* position() const { return at_; }

  private:
    static bool has_ff(std::uint64_t word) {
        constexpr std::uint64_t kOnes = 0x0101010101010101U;
        return (((word & (0x7F * kOnes)) + kOnes) & word & (0x80 * kOnes)) != 0;
    }

    void refill_slowly() {
        while (count_ <= 56) {
            std::uint64_t byte = 0;
            if (at_ < end_ && *at_ != 0xFF) {
                byte = *at_++;
            } else if (end_ - at_ >= 2 && at_[1] == 0) {
                byte = 0xFF;
                at_ += 2;
            } else {
                padding_ += 8;
            }
            bits_ |= byte << (56 - count_);
            count_ += 8;
        }
    }

    const std::uint8_t* at_;
    const std::uint8_t* end_;
    std::uint64_t bits_ = 0;  // from the top; those beyond count_ are what comes next, or zero
    int count_ = 0;
    int padding_ = 0;  // of count_, how many are zeros that are not there
};

}  // namespace perfmodel::cpu::image
