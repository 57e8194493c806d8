// Huffman tables of JPEG for decoding a symbol and the number behind it in one step.
#pragma once

#include <cstdint>

#include "cpu/image/bit_reader.h"

namespace perfmodel::cpu::image {

constexpr int kBlockValues = 64;
constexpr int kEndRun = 128;  // run of the symbol that ends a block: beyond all places
constexpr int kNoCode = 64;   // run where bits are no code: beyond all places too, but never as far

// A decoded symbol: how many places are passed over, and the number that follows.
struct HuffmanStep {
    std::int16_t value;
    std::uint8_t run;
    std::uint8_t bits;  // code and number together; 0 where they are longer than the table looks
};

// A number of `size` bits as JPEG means it: the lower half is negative.
inline std::int16_t extend(std::uint32_t number, int size) {
    if (size == 0) return 0;
    const bool negative = number < (1U << (size - 1));
    return static_cast<std::int16_t>(static_cast<std::int32_t>(number) - (negative ? (1 << size) - 1 : 0));
}

class HuffmanTable {
  public:
    static constexpr int kLookup = 11;

    // Takes a table as a file has it: how many codes of each length from 1 to 16 there are, and the symbols
    // in order. `runs` for AC tables, whose symbols hold a run and a size; DC symbols are sizes. False where
    // codes do not fit.
    bool build(const std::uint8_t* counts, const std::uint8_t* symbols, bool runs);

    // The symbol that comes next where it and its number are within the table's reach; else no bits, and what
    // is known.
    HuffmanStep look_up(const BitReader& reader) const { return steps_[reader.peek(kLookup)]; }

    // Completes what look_up() gave without bits; 31 bits have to be there.
    HuffmanStep complete(HuffmanStep known, const BitReader& reader) const {
        if (known.value == 0) return search(reader.bits());
        const int length = known.value >> 4;
        const int size = known.value & 15;
        const std::uint32_t number = reader.peek(length + size) & ((1U << size) - 1U);
        return {extend(number, size), known.run, static_cast<std::uint8_t>(length + size)};
    }

  private:
    HuffmanStep search(std::uint64_t bits) const;
    static HuffmanStep make_step(unsigned symbol, bool runs, int length, std::uint32_t number);
    int size_of(unsigned symbol) const;

    HuffmanStep steps_[1 << kLookup];
    std::uint32_t end_[17] = {};    // one past the last code of each length, moved up to 16 bits
    std::int32_t offset_[17] = {};  // from a code to its symbol's place
    std::uint8_t counts_[16] = {};  // of the table that was built
    std::uint8_t symbols_[256] = {};
    bool runs_ = false;
    bool built_ = false;
};

}  // namespace perfmodel::cpu::image
