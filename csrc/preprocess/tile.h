// The kernel, as steps that the threads of a block take together: between two steps there is a barrier. The
// host's version takes each step for one thread after the other.
//
// A block makes a tile of one image's output. Input rows come in chunks: brought from device memory in
// 16-byte words and split into planes in shared memory, resized across to bytes in shared memory, then added,
// with their weights, to sums in registers. So each output is Pillow's resize of bytes in two passes, in
// whole numbers.
#pragma once

#include <cstdint>

#include "preprocess/lanes.h"
#include "preprocess/task.h"

namespace perfmodel::preprocess {

// What all threads of a block know of their tile; lies at the start of shared memory.
struct TilePlace {
    std::int32_t left;  // first output column and row
    std::int32_t top;
    std::int32_t columns;  // outputs across
    std::int32_t first_pixel;
    std::int32_t pixels;  // input pixels across
    std::int32_t groups;  // of kGroupBytes that hold them, wherever the row begins
    std::int32_t first_row;
    std::int32_t end_row;
};

constexpr int kPlaceBytes = 64;

// Offsets in shared memory; behind kWeights come the weights of columns, then the input rows.
template <int kColumns>
struct Layout {
    static constexpr int kBegins = kPlaceBytes;
    static constexpr int kPlaneAt = kBegins + 4 * kColumns;
    static constexpr int kMiddle = kPlaneAt + 4 * kMostPlanes * kChunkRows;
    static constexpr int kWeights = kMiddle + kMostPlanes * kChunkRows * kColumns;
    static_assert(kMiddle % 16 == 0 && kWeights % 16 == 0);
};

PERFMODEL_HD std::int32_t smaller(std::int32_t a, std::int32_t b) {
    return a < b ? a : b;
}

PERFMODEL_HD std::int32_t larger(std::int32_t a, std::int32_t b) {
    return a > b ? a : b;
}

PERFMODEL_HD std::uint8_t clip_byte(std::int32_t value) {
    return static_cast<std::uint8_t>(smaller(larger(value, 0), 255));
}

PERFMODEL_HD std::int32_t half_unit(std::int32_t shift) {
    return shift > 0 ? 1 << (shift - 1) : 0;
}

// Twelve bytes of whole pixels, in three words, to four bytes of each channel.
PERFMODEL_HD void split_pixels(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t* channels) {
    channels[0] = permute(permute(a, b, 0x0630U), c, 0x5210U);
    channels[1] = permute(permute(a, b, 0x0741U), c, 0x6210U);
    channels[2] = permute(permute(a, b, 0x0052U), c, 0x7410U);
}

template <int kColumns>
struct Tile {
    static constexpr int kWords = kColumns / 4;        // of four outputs across
    static constexpr int kSlots = kThreads / kWords;   // rows that the threads make at a time
    static constexpr int kDepth = kTileRows / kSlots;  // rows that each thread makes
    static_assert(kDepth * kSlots == kTileRows && kWords * kSlots == kThreads);

    // Of four neighbouring outputs in each row and plane of a thread.
    struct Sums {
        std::int32_t value[kDepth][kMostPlanes][4];
    };
    struct Words {
        std::uint32_t value[kDepth][kMostPlanes];
    };

    const BatchTask& batch;
    const ImageTask& image;
    std::uint8_t* memory;
    std::int32_t number;  // of the image
    std::int32_t tile;

    PERFMODEL_HD TilePlace& place() const { return *reinterpret_cast<TilePlace*>(memory); }
    PERFMODEL_HD std::int32_t* begins() const {
        return reinterpret_cast<std::int32_t*>(memory + Layout<kColumns>::kBegins);
    }
    PERFMODEL_HD std::int32_t* plane_at() const {
        return reinterpret_cast<std::int32_t*>(memory + Layout<kColumns>::kPlaneAt);
    }
    PERFMODEL_HD std::uint8_t* middle() const { return memory + Layout<kColumns>::kMiddle; }
    PERFMODEL_HD Pair* column_weights() const {
        return reinterpret_cast<Pair*>(memory + Layout<kColumns>::kWeights);
    }
    PERFMODEL_HD std::uint8_t* input() const {
        return memory + Layout<kColumns>::kWeights + batch.quads * kColumns * 8;
    }
    PERFMODEL_HD int planes() const { return image.planes == 3 && batch.channels == 3 ? 3 : 1; }
    PERFMODEL_HD bool greys() const { return image.planes == 3 && batch.channels == 1; }
    PERFMODEL_HD int chunk_rows(int row) const { return smaller(image.chunk, place().end_row - row); }
    PERFMODEL_HD const std::uint8_t* row_start(int row) const {
        const auto inside = static_cast<std::uint64_t>(smaller(row, image.height - 1));
        return batch.pixels + image.offset + inside * image.pitch;
    }

    // Finds the inputs of the tile; one thread does.
    PERFMODEL_HD void find_place() const {
        TilePlace& found = place();
        found.left = tile % batch.tiles_across * kColumns;
        found.top = tile / batch.tiles_across * kTileRows;
        found.columns = smaller(kColumns, batch.width - found.left);
        if (image.planes == 0) {
            found.first_row = found.end_row = 0;
            return;
        }
        const std::int32_t* x = batch.starts + image.x.starts + found.left;
        const std::int32_t* y = batch.starts + image.y.starts + found.top;
        const std::int32_t rows = smaller(kTileRows, batch.height - found.top);
        const std::int32_t left = x[0];
        const std::int32_t right = x[found.columns - 1];
        found.first_pixel = 2 * smaller(left, right);
        found.pixels = 2 * (larger(left, right) - smaller(left, right) + image.x.pairs);
        found.groups = (15 + found.pixels * image.planes + kGroupBytes - 1) / kGroupBytes;
        found.first_row = 2 * smaller(y[0], y[rows - 1]);
        found.end_row = 2 * (larger(y[0], y[rows - 1]) + image.y.pairs);
    }

    // Brings first pixels and weights of the columns to shared memory, the weights so that neighbouring
    // columns lie side by side.
    PERFMODEL_HD void stage(int thread) const {
        const TilePlace& at = place();
        const std::int32_t* starts = batch.starts + image.x.starts + at.left;
        for (int x = thread; x < kColumns; x += kThreads)
            begins()[x] = 2 * starts[smaller(x, at.columns - 1)];
        if (image.staged == 0) return;
        const int quads = image.x.pairs / 2;
        const std::uint32_t* weights = batch.weights + image.x.weights;
        PERFMODEL_ROLL
        for (int i = thread; i < quads * kColumns; i += kThreads) {
            const int column = smaller(i % kColumns, at.columns - 1);
            const std::uint32_t* two =
                weights + (static_cast<std::size_t>(at.left + column) * static_cast<std::size_t>(quads) +
                           static_cast<std::size_t>(i / kColumns)) *
                              2;
            column_weights()[i] = {{two[0], two[1]}};
        }
    }

    // Where the pixels of row `r` of the chunk lie in its memory: pixel p of channel c at plane_at[c] + p.
    // `skew` is the byte of the image's row that is first in memory; it may lie before the row.
    PERFMODEL_HD void note_row(int r, std::int32_t skew) const {
        std::int32_t* at = plane_at() + r * kMostPlanes;
        if (image.planes == 1) {
            at[0] = -skew;
            return;
        }
        const std::int32_t phase = (skew % 3 + 3) % 3;
        PERFMODEL_UNROLL
        for (int c = 0; c < 3; ++c) {
            const std::int32_t group = (c - phase + 3) % 3;
            at[c] = group * place().groups * 16 - (skew + group - c) / 3;
        }
    }

    PERFMODEL_HD void load_group(int r, int group, const std::uint8_t* from) const {
        const std::uint8_t* end = batch.pixels + batch.pixel_bytes;
        Quad quad[3];
        PERFMODEL_UNROLL
        for (int i = 0; i < 3; ++i) quad[i] = load_quad(from + 16 * i, batch.pixels, end);
        const int groups = place().groups;
        std::uint8_t* row =
            input() + static_cast<std::size_t>(r) * static_cast<std::size_t>(groups * kGroupBytes);
        if (image.planes == 1) {
            auto* to = reinterpret_cast<Quad*>(row + group * kGroupBytes);
            PERFMODEL_UNROLL
            for (int i = 0; i < 3; ++i) to[i] = quad[i];
            return;
        }
        std::uint32_t words[4][3];
        split_pixels(quad[0].word[0], quad[0].word[1], quad[0].word[2], words[0]);
        split_pixels(quad[0].word[3], quad[1].word[0], quad[1].word[1], words[1]);
        split_pixels(quad[1].word[2], quad[1].word[3], quad[2].word[0], words[2]);
        split_pixels(quad[2].word[1], quad[2].word[2], quad[2].word[3], words[3]);
        PERFMODEL_UNROLL
        for (int c = 0; c < 3; ++c) {
            auto* to = reinterpret_cast<Quad*>(row + (c * groups + group) * 16);
            *to = {{words[0][c], words[1][c], words[2][c], words[3][c]}};
        }
    }

    // Brings the rows from `row` on to shared memory.
    PERFMODEL_HD void load(int thread, int row) const {
        const int groups = place().groups;
        const int count = chunk_rows(row) * groups;
        PERFMODEL_ROLL
        for (int i = thread; i < count; i += kThreads) {
            const int r = i / groups;
            const int group = i - r * groups;
            const std::int32_t first = place().first_pixel * image.planes;
            const std::uint8_t* start = row_start(row + r) + first;
            const auto above = static_cast<std::int32_t>(reinterpret_cast<std::uintptr_t>(start) % 16);
            if (group == 0) note_row(r, first - above);
            load_group(r, group, start - above + group * kGroupBytes);
        }
    }

    // Colour to grey, in the place of the first channel: the bytes of a pixel are its own thread's alone.
    PERFMODEL_HD void make_grey(int thread, int row) const {
        const int pixels = place().pixels;
        const int count = chunk_rows(row) * pixels;
        PERFMODEL_ROLL
        for (int i = thread; i < count; i += kThreads) {
            const int r = i / pixels;
            const int pixel = place().first_pixel + i - r * pixels;
            std::uint8_t* bytes = input() + r * place().groups * kGroupBytes + pixel;
            const std::int32_t* at = plane_at() + r * kMostPlanes;
            bytes[at[0]] = cpu::image::luma(bytes[at[0]], bytes[at[1]], bytes[at[2]]);
        }
    }

    // One row's outputs of one column, in all planes.
    template <int kPlanes>
    PERFMODEL_HD void resize_across(int r, int x) const {
        std::int32_t sums[kPlanes];
        std::uint32_t words[kPlanes];
        std::uint32_t selectors[kPlanes];
        const std::uint32_t* at[kPlanes];
        const std::uint8_t* bytes = input() + r * place().groups * kGroupBytes;
        PERFMODEL_UNROLL
        for (int p = 0; p < kPlanes; ++p) {
            const std::int32_t byte = plane_at()[r * kMostPlanes + p] + begins()[x];
            at[p] = reinterpret_cast<const std::uint32_t*>(bytes + (byte - byte % 4));
            selectors[p] = 0x3210U + 0x1111U * static_cast<std::uint32_t>(byte % 4);
            words[p] = at[p][0];
            sums[p] = half_unit(image.x.shift);
        }
        const int quads = image.x.pairs / 2;
        PERFMODEL_UNROLL_TWICE
        for (int q = 0; q < quads; ++q) {
            const Pair weights = column_weights()[q * kColumns + x];
            PERFMODEL_UNROLL
            for (int p = 0; p < kPlanes; ++p) {
                const std::uint32_t next = at[p][q + 1];
                const std::uint32_t four = permute(words[p], next, selectors[p]);
                sums[p] = dot_high(weights.word[1], four, dot_low(weights.word[0], four, sums[p]));
                words[p] = next;
            }
        }
        PERFMODEL_UNROLL
        for (int p = 0; p < kPlanes; ++p)
            middle()[(r * kPlanes + p) * kColumns + x] = clip_byte(sums[p] >> image.x.shift);
    }

    // The same straight from device memory, for rows that shared memory cannot hold.
    PERFMODEL_HD void resize_in_place(int row, int r, int x) const {
        const std::uint8_t* bytes = row_start(row + r);
        const auto column = static_cast<std::size_t>(place().left + smaller(x, place().columns - 1));
        const std::uint32_t* weights =
            batch.weights + image.x.weights + column * static_cast<std::size_t>(image.x.pairs);
        std::int32_t sums[3] = {half_unit(image.x.shift), half_unit(image.x.shift), half_unit(image.x.shift)};
        PERFMODEL_ROLL
        for (int i = 0; i < 2 * image.x.pairs; ++i) {
            const std::uint8_t* pixel = bytes + smaller(begins()[x] + i, image.width - 1) * image.planes;
            const std::int32_t weight = signed_half(weights[i / 2], i % 2);
            if (greys()) {
                sums[0] += weight * cpu::image::luma(pixel[0], pixel[1], pixel[2]);
                continue;
            }
            sums[0] += weight * pixel[0];
            if (image.planes < 3) continue;
            sums[1] += weight * pixel[1];
            sums[2] += weight * pixel[2];
        }
        PERFMODEL_UNROLL
        for (int p = 0; p < 3; ++p)
            if (p < planes())
                middle()[(r * planes() + p) * kColumns + x] = clip_byte(sums[p] >> image.x.shift);
    }

    // Resizes the rows of the chunk across.
    PERFMODEL_HD void across(int thread, int row) const {
        const int x = thread % kColumns;
        const int rows = chunk_rows(row);
        PERFMODEL_ROLL
        for (int r = thread / kColumns; r < rows; r += kThreads / kColumns) {
            if (image.staged == 0)
                resize_in_place(row, r, x);
            else if (planes() == 3)
                resize_across<3>(r, x);
            else
                resize_across<1>(r, x);
        }
    }

    PERFMODEL_HD void clear(Sums& sums) const {
        PERFMODEL_UNROLL
        for (int k = 0; k < kDepth; ++k) PERFMODEL_UNROLL
        for (int p = 0; p < kMostPlanes; ++p) PERFMODEL_UNROLL
        for (int i = 0; i < 4; ++i) sums.value[k][p][i] = half_unit(image.y.shift);
    }

    // Adds the rows of the chunk, weighted, to a thread's outputs.
    template <int kPlanes>
    PERFMODEL_HD void add_down(int thread, int row, Sums& sums) const {
        const auto* words = reinterpret_cast<const std::uint32_t*>(middle()) + thread % kWords;
        const int rows = chunk_rows(row);
        PERFMODEL_UNROLL
        for (int k = 0; k < kDepth; ++k) {
            const int y = smaller(place().top + thread / kWords + k * kSlots, batch.height - 1);
            const std::int32_t begin = batch.starts[image.y.starts + static_cast<std::uint32_t>(y)] - row / 2;
            const std::uint32_t* weights =
                batch.weights + image.y.weights +
                static_cast<std::size_t>(y) * static_cast<std::size_t>(image.y.pairs);
            const int end = smaller(rows / 2, begin + image.y.pairs);
            PERFMODEL_ROLL
            for (int q = larger(0, begin); q < end; ++q) {
                const std::uint32_t weight = weights[q - begin];
                PERFMODEL_UNROLL
                for (int p = 0; p < kPlanes; ++p) {
                    const std::uint32_t upper = words[(2 * q * kPlanes + p) * kWords];
                    const std::uint32_t lower = words[((2 * q + 1) * kPlanes + p) * kWords];
                    const std::uint32_t left = permute(upper, lower, 0x5140U);
                    const std::uint32_t right = permute(upper, lower, 0x7362U);
                    std::int32_t* sum = sums.value[k][p];
                    sum[0] = dot_low(weight, left, sum[0]);
                    sum[1] = dot_high(weight, left, sum[1]);
                    sum[2] = dot_low(weight, right, sum[2]);
                    sum[3] = dot_high(weight, right, sum[3]);
                }
            }
        }
    }

    PERFMODEL_HD void down(int thread, int row, Sums& sums) const {
        if (planes() == 3)
            add_down<3>(thread, row, sums);
        else
            add_down<1>(thread, row, sums);
    }

    // Sums to bytes; a grey image has three equal planes from here on.
    PERFMODEL_HD void round(const Sums& sums, Words& words) const {
        const std::int32_t shift = image.y.shift;
        PERFMODEL_UNROLL
        for (int k = 0; k < kDepth; ++k) {
            PERFMODEL_UNROLL
            for (int p = 0; p < kMostPlanes; ++p) {
                const std::int32_t* sum = sums.value[k][p];
                const std::uint32_t four = static_cast<std::uint32_t>(clip_byte(sum[0] >> shift)) |
                                           static_cast<std::uint32_t>(clip_byte(sum[1] >> shift)) << 8 |
                                           static_cast<std::uint32_t>(clip_byte(sum[2] >> shift)) << 16 |
                                           static_cast<std::uint32_t>(clip_byte(sum[3] >> shift)) << 24;
                words.value[k][p] = p > 0 && planes() == 1 ? words.value[k][0] : four;
            }
        }
    }
};

}  // namespace perfmodel::preprocess
