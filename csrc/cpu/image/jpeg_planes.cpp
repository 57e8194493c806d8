// Raw planes of JPEG images, one row of blocks after another.
#include <algorithm>

#include "cpu/image/jpeg_state.h"

namespace perfmodel::cpu::image {

namespace {

constexpr int kMostRows = 4 * DCTSIZE * 2;  // rows of a component in two rows of blocks

// Memory for the rows of one or two rows of blocks (iMCU rows) of all components.
struct BlockRows {
    int groups = 1;  // rows of blocks that are collected before the resampler gets them
    int per_group[kMostPlanes] = {};
    JSAMPROW rows[kMostPlanes][kMostRows] = {};
};

std::size_t row_bytes(const jpeg_component_info& component) {
    // Whole MCUs, and what vector code reads behind the end.
    const std::size_t blocks = component.width_in_blocks + static_cast<std::size_t>(component.h_samp_factor);
    return round_up(blocks * DCTSIZE + kSlack, 64);
}

void lay_out(JpegDecoder::State& state, BlockRows& block) {
    const jpeg_decompress_struct& info = state.info;
    block.groups = info.max_v_samp_factor == 1 ? 2 : 1;  // so that 16 rows are together
    std::size_t bytes = 0;
    for (int p = 0; p < info.num_components; ++p) {
        block.per_group[p] = info.comp_info[p].v_samp_factor * DCTSIZE;
        bytes += row_bytes(info.comp_info[p]) * static_cast<std::size_t>(block.per_group[p] * block.groups);
    }
    std::uint8_t* at = state.rows.reserve(bytes);
    std::fill_n(at, bytes, std::uint8_t{0});
    for (int p = 0; p < info.num_components; ++p) {
        for (int r = 0; r < block.per_group[p] * block.groups; ++r) {
            block.rows[p][r] = at;
            at += row_bytes(info.comp_info[p]);
        }
    }
}

// Rows of blocks up to the last that the resampler needs.
int needed_groups(const jpeg_decompress_struct& info, const Resampler& resampler) {
    int groups = 0;
    for (int p = 0; p < info.num_components; ++p) {
        const int rows = info.comp_info[p].v_samp_factor * DCTSIZE;
        groups = std::max(groups, (2 * resampler.rows(p).end + rows - 1) / rows);
    }
    return std::min(groups, static_cast<int>(info.total_iMCU_rows));
}

bool start(JpegDecoder::State& state) {
    return guarded(state, [&state] {
        state.info.raw_data_out = TRUE;
        state.info.out_color_space = state.info.jpeg_color_space;
        jpeg_start_decompress(&state.info);
    });
}

bool read_group(JpegDecoder::State& state, BlockRows& block, int slot) {
    JSAMPARRAY planes[kMostPlanes];
    for (int p = 0; p < kMostPlanes; ++p) planes[p] = block.rows[p] + slot * block.per_group[p];
    return guarded(state, [&state, &planes] {
        const auto lines = static_cast<JDIMENSION>(state.info.max_v_samp_factor * DCTSIZE);
        jpeg_read_raw_data(&state.info, planes, lines);
    });
}

void push_group(const jpeg_decompress_struct& info, const BlockRows& block, int group, int slot,
                Resampler& resampler) {
    for (int p = 0; p < info.num_components; ++p) {
        const int rows = block.per_group[p];
        for (int r = 0; r < rows; r += 2)
            resampler.push(p, (group * rows + r) / 2, block.rows[p][slot * rows + r],
                           block.rows[p][slot * rows + r + 1]);
    }
}

}  // namespace

Outcome decode_jpeg_planes(JpegDecoder::State& state, const DecodeContext& context) {
    if (!start(state)) return state.outcome;
    BlockRows block;
    lay_out(state, block);
    const int groups = needed_groups(state.info, context.resampler);
    for (int group = 0; group < groups; ++group) {
        if (context.cancelled.load(std::memory_order_relaxed)) return cancelled_outcome();
        const int slot = group % block.groups;
        if (!read_group(state, block, slot)) return state.outcome;
        context.clock.mark(Stage::decode);
        push_group(state.info, block, group, slot, context.resampler);
        if (slot == block.groups - 1 || group == groups - 1) context.resampler.flush();
        context.clock.mark(Stage::resample);
    }
    return {};
}

}  // namespace perfmodel::cpu::image
