// Sequential JPEG in one scan, the common kind, decoded without libjpeg: faster, and only blocks that are
// needed are transformed. What is unusual or damaged in any way is left to libjpeg, from the beginning.
#pragma once

#include <cstdint>

#include "cpu/image/block_queue.h"
#include "cpu/image/huffman.h"
#include "cpu/image/jpeg_state.h"
#include "cpu/image/scan_data.h"

namespace perfmodel::cpu::image {

class BaselineDecoder {
  public:
    enum class Result { done, left, cancelled };

    explicit BaselineDecoder(const Kernels& kernels) : queue_(kernels) {}

    // Decodes the image whose header libjpeg has read and gives its planes to the resampler. Where the result
    // is `left`, libjpeg has to do it, whatever the resampler got. Throws std::bad_alloc.
    Result decode(const jpeg_decompress_struct& info, const DecodeContext& context);

    // Gives memory back beyond `most` bytes.
    void trim(std::size_t most) {
        if (rows_.bytes() > most) rows_.release();
        data_.trim(most);
    }

  private:
    // Blocks of a component that are needed, by column and row.
    struct Needed {
        PairRange columns;
        PairRange rows;

        bool has(int column, int row) const {
            return column >= columns.first && column < columns.end && row >= rows.first && row < rows.end;
        }
    };
    struct Component {
        int wide = 1;  // blocks of a unit (MCU)
        int high = 1;
        const HuffmanTable* dc = nullptr;
        const HuffmanTable* ac = nullptr;
        std::uint16_t steps[kBlockValues] = {};
        std::uint32_t last_dc = 0;
        std::uint8_t* rows = nullptr;  // memory for rows of `slots_` rows of units
        std::ptrdiff_t stride = 0;
        Needed needed;
    };

    bool prepare(const jpeg_decompress_struct& info, const Resampler& resampler);
    bool prepare_component(const jpeg_decompress_struct& info, const jpeg_component_info& from,
                           Component& component);
    void lay_out(const jpeg_decompress_struct& info, const Resampler& resampler);
    bool decode_row(int row);
    bool decode_unit(int unit, int row);
    bool decode_block(Component& component, int column, int row);
    bool restart();
    void push(int row, Resampler& resampler) const;

    BlockQueue queue_;
    ScanData data_;
    BitReader reader_;
    int marker_ = 0;                         // behind what reader_ reads
    HuffmanTable tables_[2][NUM_HUFF_TBLS];  // of DC and AC values
    Component components_[kMostPlanes];
    int count_ = 0;
    int units_ = 0;  // of a row
    int needed_rows_ = 0;
    int slots_ = 1;  // rows of units that are collected before the resampler gets them
    int restart_interval_ = 0;
    int until_restart_ = 0;
    int next_restart_ = 0;
    Buffer<std::uint8_t> rows_;
};

}  // namespace perfmodel::cpu::image
