#include "cpu/image/huffman.h"

#include <algorithm>
#include <numeric>

namespace perfmodel::cpu::image {

int HuffmanTable::size_of(unsigned symbol) const {
    return static_cast<int>(runs_ ? symbol & 15U : symbol);
}

HuffmanStep HuffmanTable::make_step(unsigned symbol, bool runs, int length, std::uint32_t number) {
    HuffmanStep step = {};
    const int size = static_cast<int>(runs ? symbol & 15U : symbol);
    step.value = extend(number, size);
    step.bits = static_cast<std::uint8_t>(length + size);
    if (!runs) return step;
    const unsigned run = symbol >> 4;
    step.run = static_cast<std::uint8_t>(size == 0 && run < 15 ? kEndRun : run);
    return step;
}

bool HuffmanTable::build(const std::uint8_t* counts, const std::uint8_t* symbols, bool runs) {
    const int total = std::accumulate(counts, counts + 16, 0);
    if (total > 256) return false;
    if (built_ && runs == runs_ && std::equal(counts, counts + 16, counts_) &&
        std::equal(symbols, symbols + total, symbols_))
        return true;
    built_ = false;
    runs_ = runs;
    std::copy_n(counts, 16, counts_);
    std::copy_n(symbols, total, symbols_);
    std::fill_n(steps_, 1 << kLookup, HuffmanStep{});
    std::uint32_t code = 0;
    int place = 0;
    for (int length = 1; length <= 16; ++length, code <<= 1) {
        offset_[length] = place - static_cast<std::int32_t>(code);
        for (int i = 0; i < counts[length - 1]; ++i, ++code, ++place) {
            if (code >= (1U << length)) return false;
            const unsigned symbol = symbols[place];
            const int size = size_of(symbol);
            if (size > 15) return false;
            const int spare = kLookup - length - size;
            if (length > kLookup) continue;
            if (spare < 0) {  // the code is known, and how long its number is
                HuffmanStep known = make_step(symbol, runs, length, 0);
                known.value = static_cast<std::int16_t>(16 * length + size);
                known.bits = 0;
                std::fill_n(steps_ + (code << (kLookup - length)), 1U << (kLookup - length), known);
                continue;
            }
            for (std::uint32_t number = 0; number < (1U << size); ++number)
                std::fill_n(steps_ + (((code << size) + number) << spare), 1U << spare,
                            make_step(symbol, runs, length, number));
        }
        end_[length] = code << (16 - length);
    }
    built_ = true;
    return true;
}

HuffmanStep HuffmanTable::search(std::uint64_t bits) const {
    const auto start = static_cast<std::uint32_t>(bits >> 48);
    for (int length = 1; length <= 16; ++length) {
        if (start >= end_[length]) continue;
        const auto code = static_cast<std::int32_t>(start >> (16 - length));
        const unsigned symbol = symbols_[(code + offset_[length]) & 255];
        const int size = size_of(symbol);
        const auto number = static_cast<std::uint32_t>(bits >> (64 - length - size)) & ((1U << size) - 1U);
        return make_step(symbol, runs_, length, number);
    }
    return {0, kNoCode, 16};
}

}  // namespace perfmodel::cpu::image
