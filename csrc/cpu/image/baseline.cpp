#include "cpu/image/baseline.h"

#include <algorithm>

#include "cpu/kernels.h"

// The decoder is used with the kernels of AVX2 and AVX-512 alone, whose processors have these shifts too.
#if defined(PERFMODEL_X86)
#define PERFMODEL_BASELINE __attribute__((target("avx2,bmi,bmi2")))
#else
#define PERFMODEL_BASELINE
#endif

namespace perfmodel::cpu::image {

namespace {

constexpr int kBlockSide = 8;
constexpr int kEndOfImage = 0xD9;  // second bytes of markers
constexpr int kRestart = 0xD0;
constexpr int kSymbols = 56 / HuffmanTable::kLookup;  // that a full reader has for certain
constexpr int kMostUnitBlocks = 10;                   // of a unit, by the standard

// Place of each value of a block in the order of the file; those beyond the block's end go to one that means
// nothing.
struct Places {
    std::uint8_t at[kBlockValues + kEndRun + 1] = {};
    constexpr Places() {
        for (std::uint8_t& place : at) place = kBlockValues;
        int row = 0;
        int column = 0;
        for (int i = 0; i < kBlockValues; ++i) {
            at[i] = static_cast<std::uint8_t>(8 * row + column);
            const bool up = (row + column) % 2 == 0;
            if (up && column == 7)
                ++row;
            else if (up && row == 0)
                ++column;
            else if (!up && row == 7)
                ++column;
            else if (!up && column == 0)
                ++row;
            else {
                row += up ? -1 : 1;
                column += up ? 1 : -1;
            }
        }
    }
};

constexpr Places kPlaces;

// Places after the last symbol: 64 where the block was full, from here on where a symbol ended it; else it is
// damaged.
constexpr int kEnded = 1 + kEndRun + 1;

bool usual(const jpeg_decompress_struct& info) {
    return (info.num_components == 1 || info.num_components == 3) &&
           info.comps_in_scan == info.num_components && !info.progressive_mode && !info.arith_code &&
           info.data_precision == 8 && info.Ss == 0 && info.Se == 63 && info.Ah == 0 && info.Al == 0;
}

PairRange blocks_of(PairRange pairs, int most) {
    return {2 * pairs.first / kBlockSide, std::min(most, (2 * pairs.end + kBlockSide - 1) / kBlockSide)};
}

int divide_up(int value, int divisor) {
    return (value + divisor - 1) / divisor;
}

// All pixels of a block of which only the first coefficient is not zero; as the transformation rounds it.
void fill_block(std::int16_t value, std::uint16_t step, std::uint8_t* out, std::ptrdiff_t stride) {
    const auto product = static_cast<std::int16_t>(static_cast<std::uint32_t>(value) * step);
    const int light = std::clamp(((product + 4) >> 3) + 128, 0, 255);
    for (int y = 0; y < kBlockSide; ++y) std::memset(out + y * stride, light, kBlockSide);
}

bool has_end_of_image(Encoded rest) {
    static constexpr std::uint8_t kMarker[2] = {0xFF, kEndOfImage};
    return memmem(rest.data, rest.size, kMarker, sizeof kMarker) != nullptr;
}

// The values of a block but the first, which is a difference to that of the block before.
struct BlockReading {
    BitReader reader;
    const HuffmanTable& table;
    std::int16_t* block;  // zeros
    int place;            // of the next value; at the end one past that of the last symbol

    // Reads a symbol, for which a bit reader that was filled kSymbols ago has enough unless the table does
    // not reach it. False where the reader has to be filled and where the block ends.
    PERFMODEL_BASELINE inline __attribute__((always_inline)) bool next() {
        HuffmanStep step = table.look_up(reader);
        const bool short_one = step.bits != 0;
        if (__builtin_expect(!short_one, 0)) {
            reader.refill();
            step = table.complete(step, reader);
        }
        reader.skip(step.bits);
        place += step.run;
        block[kPlaces.at[place]] = step.value;
        return ++place < kBlockValues && short_one;
    }
};

// Reads a block into `block`, which holds zeros. Returns one past the place of the last symbol.
PERFMODEL_BASELINE int read_block(BitReader& shared, const HuffmanTable& dc, const HuffmanTable& ac,
                                  std::int16_t* block) {
    BlockReading reading{shared, ac, block, 0};  // a copy: it stays in registers
    BitReader& reader = reading.reader;
    reader.refill();
    HuffmanStep step = dc.look_up(reader);
    if (step.bits == 0) step = dc.complete(step, reader);
    reader.skip(step.bits);
    block[0] = step.value;
    reading.place = 1 + step.run;
    while (reading.place < kBlockValues) {
        reader.refill();
        // Written out: so each has branches of its own, which are foretold better.
        static_assert(kSymbols == 5, "as many as follow");
        static_cast<void>(reading.next() && reading.next() && reading.next() && reading.next() &&
                          reading.next());
    }
    shared = reader;
    return reading.place;
}

}  // namespace

bool BaselineDecoder::prepare_component(const jpeg_decompress_struct& info, const jpeg_component_info& from,
                                        Component& component) {
    const bool alone = info.num_components == 1;  // then a unit is one block, whatever the factors say
    component = Component();
    component.wide = alone ? 1 : from.h_samp_factor;
    component.high = alone ? 1 : from.v_samp_factor;
    if (from.dc_tbl_no < 0 || from.dc_tbl_no >= NUM_HUFF_TBLS || from.ac_tbl_no < 0 ||
        from.ac_tbl_no >= NUM_HUFF_TBLS || from.quant_tbl_no < 0 || from.quant_tbl_no >= NUM_QUANT_TBLS)
        return false;
    const JHUFF_TBL* const found[2] = {info.dc_huff_tbl_ptrs[from.dc_tbl_no],
                                       info.ac_huff_tbl_ptrs[from.ac_tbl_no]};
    const JQUANT_TBL* steps = info.quant_tbl_ptrs[from.quant_tbl_no];
    if (found[0] == nullptr || found[1] == nullptr || steps == nullptr) return false;
    HuffmanTable& dc = tables_[0][from.dc_tbl_no];
    HuffmanTable& ac = tables_[1][from.ac_tbl_no];
    if (!dc.build(found[0]->bits + 1, found[0]->huffval, false) ||
        !ac.build(found[1]->bits + 1, found[1]->huffval, true))
        return false;
    component.dc = &dc;
    component.ac = &ac;
    std::copy_n(steps->quantval, kBlockValues, component.steps);
    return true;
}

bool BaselineDecoder::prepare(const jpeg_decompress_struct& info, const Resampler& resampler) {
    if (!queue_.usable() || !usual(info)) return false;
    count_ = info.num_components;
    int blocks = 0;
    for (int c = 0; c < count_; ++c) {
        // The scan's components have to be the image's, in their order.
        if (info.cur_comp_info[c] != &info.comp_info[c]) return false;
        if (!prepare_component(info, info.comp_info[c], components_[c])) return false;
        blocks += components_[c].wide * components_[c].high;
    }
    if (blocks > kMostUnitBlocks) return false;
    lay_out(info, resampler);
    restart_interval_ = static_cast<int>(info.restart_interval);
    until_restart_ = restart_interval_;
    next_restart_ = 0;
    queue_.reset();
    return true;
}

void BaselineDecoder::lay_out(const jpeg_decompress_struct& info, const Resampler& resampler) {
    const bool alone = count_ == 1;
    const int most_wide = alone ? 1 : info.max_h_samp_factor;
    const int most_high = alone ? 1 : info.max_v_samp_factor;
    units_ = divide_up(static_cast<int>(info.image_width), kBlockSide * most_wide);
    const int unit_rows = divide_up(static_cast<int>(info.image_height), kBlockSide * most_high);
    slots_ = most_high == 1 ? 2 : 1;  // so that 16 rows are together
    needed_rows_ = 0;
    std::size_t bytes = 0;
    for (int c = 0; c < count_; ++c) {
        Component& component = components_[c];
        component.needed.columns = blocks_of(resampler.columns(c), units_ * component.wide);
        component.needed.rows = blocks_of(resampler.rows(c), unit_rows * component.high);
        needed_rows_ = std::max(needed_rows_, divide_up(component.needed.rows.end, component.high));
        const auto width = static_cast<std::size_t>(units_ * component.wide * kBlockSide);
        component.stride = static_cast<std::ptrdiff_t>(round_up(width + kSlack, 64));
        bytes += static_cast<std::size_t>(component.stride * component.high * kBlockSide * slots_);
    }
    std::uint8_t* at = rows_.reserve(bytes);
    std::memset(at, 0, bytes);
    for (int c = 0; c < count_; ++c) {
        components_[c].rows = at;
        at += components_[c].stride * components_[c].high * kBlockSide * slots_;
    }
}

BaselineDecoder::Result BaselineDecoder::decode(const jpeg_decompress_struct& info,
                                                const DecodeContext& context) {
    if (!prepare(info, context.resampler)) return Result::left;
    data_.begin({info.src->next_input_byte, info.src->bytes_in_buffer});
    reader_ = data_.next(marker_);
    for (int row = 0; row < needed_rows_; ++row) {
        if (context.cancelled.load(std::memory_order_relaxed)) return Result::cancelled;
        const bool fine = decode_row(row);
        context.clock.mark(Stage::decode);
        if (!fine) return Result::left;
        push(row, context.resampler);
        if (row % slots_ == slots_ - 1 || row == needed_rows_ - 1) context.resampler.flush();
        context.clock.mark(Stage::resample);
    }
    return marker_ == kEndOfImage || has_end_of_image(data_.rest()) ? Result::done : Result::left;
}

bool BaselineDecoder::decode_row(int row) {
    for (int unit = 0; unit < units_; ++unit) {
        if (restart_interval_ > 0) {
            if (until_restart_ == 0 && !restart()) return false;
            --until_restart_;
        }
        if (!decode_unit(unit, row)) return false;
    }
    queue_.flush();
    return reader_.left() >= 0;
}

// Goes behind the restart marker, which has to come next, after less than a byte of padding.
bool BaselineDecoder::restart() {
    if (reader_.left() < 0 || reader_.left() >= 8 || marker_ != kRestart + next_restart_) return false;
    reader_ = data_.next(marker_);
    next_restart_ = (next_restart_ + 1) % 8;
    until_restart_ = restart_interval_;
    for (Component& component : components_) component.last_dc = 0;
    return true;
}

bool BaselineDecoder::decode_unit(int unit, int row) {
    for (int c = 0; c < count_; ++c) {
        Component& component = components_[c];
        for (int y = 0; y < component.high; ++y)
            for (int x = 0; x < component.wide; ++x)
                if (!decode_block(component, unit * component.wide + x, row * component.high + y))
                    return false;
    }
    return true;
}

bool BaselineDecoder::decode_block(Component& component, int column, int row) {
    std::int16_t* block = queue_.next();
    const int place = read_block(reader_, *component.dc, *component.ac, block);
    if ((place != kBlockValues && place < kEnded) || reader_.left() < 0) return false;
    component.last_dc += static_cast<std::uint32_t>(block[0]);
    block[0] = static_cast<std::int16_t>(component.last_dc);
    const bool flat = place == kEnded;
    if (!component.needed.has(column, row)) {
        queue_.drop(flat);
        return true;
    }
    std::uint8_t* out = component.rows + column * kBlockSide +
                        component.stride * kBlockSide * (row % (component.high * slots_));
    if (flat) {
        fill_block(block[0], component.steps[0], out, component.stride);
        queue_.drop(true);
    } else {
        queue_.push(component.steps, out, component.stride);
    }
    return true;
}

void BaselineDecoder::push(int row, Resampler& resampler) const {
    for (int c = 0; c < count_; ++c) {
        const Component& component = components_[c];
        const int rows = component.high * kBlockSide;
        const std::uint8_t* at = component.rows + component.stride * rows * (row % slots_);
        for (int y = 0; y < rows; y += 2, at += 2 * component.stride)
            resampler.push(c, (row * rows + y) / 2, at, at + component.stride);
    }
}

}  // namespace perfmodel::cpu::image
