// From bytes of the resized crop to values in the batch: colour jitter, cut-out, normalisation, all in
// registers.
//
// A change of contrast needs the mean grey of the whole crop, which no block knows alone. So an image with
// one is made in two parts of the same launch: the first ends before the contrast, adds its grey to the
// image's total and keeps its bytes; the second, taken later, waits for all tiles' first parts and goes on
// from there.
#pragma once

#include "preprocess/colour.h"
#include "preprocess/tile.h"

namespace perfmodel::preprocess {

// Channels of pixel `index` of four, and back.
PERFMODEL_HD Colour take_pixel(const std::uint32_t* words, int index) {
    return {static_cast<std::uint8_t>(byte_of(words[0], index)),
            static_cast<std::uint8_t>(byte_of(words[1], index)),
            static_cast<std::uint8_t>(byte_of(words[2], index))};
}

PERFMODEL_HD std::uint32_t with_byte(std::uint32_t word, int index, std::uint8_t value) {
    return (word & ~(0xFFU << (8 * index))) | static_cast<std::uint32_t>(value) << (8 * index);
}

PERFMODEL_HD void put_pixel(std::uint32_t* words, int index, Colour colour) {
    words[0] = with_byte(words[0], index, colour.red);
    words[1] = with_byte(words[1], index, colour.green);
    words[2] = with_byte(words[2], index, colour.blue);
}

// The step of colour jitter at that place in the image's order.
PERFMODEL_HD Colour change(const ImageTask& image, int place, Colour colour, int mean) {
    if (image.active[place] == 0) return colour;
    switch (static_cast<cpu::image::Jitter>(image.order[place])) {
        case cpu::image::Jitter::brightness:
            return blend_from(0, colour, image.factor[0]);
        case cpu::image::Jitter::contrast:
            return blend_from(mean, colour, image.factor[1]);
        case cpu::image::Jitter::saturation:
            return saturate(colour, image.factor[2]);
        case cpu::image::Jitter::hue:
            return turn_hue(colour, static_cast<std::uint8_t>(image.hue));
    }
    return colour;
}

template <int kColumns>
struct Finish {
    using T = Tile<kColumns>;
    using Words = typename T::Words;

    const T& tile;

    PERFMODEL_HD int row(int thread, int k) const {
        return tile.tile / tile.batch.tiles_across * kTileRows + thread / T::kWords + k * T::kSlots;
    }
    PERFMODEL_HD int column(int thread) const {
        return tile.tile % tile.batch.tiles_across * kColumns + 4 * (thread % T::kWords);
    }

    // Steps of colour jitter from place `from` to before `end`.
    PERFMODEL_HD void recolour(Words& words, int from, int end, int mean) const {
        PERFMODEL_UNROLL
        for (int k = 0; k < T::kDepth; ++k) {
            PERFMODEL_ROLL
            for (int i = 0; i < 4; ++i) {
                Colour colour = take_pixel(words.value[k], i);
                PERFMODEL_ROLL
                for (int place = from; place < end; ++place) colour = change(tile.image, place, colour, mean);
                put_pixel(words.value[k], i, colour);
            }
        }
    }

    // Grey of the thread's pixels that lie in the output, summed.
    PERFMODEL_HD std::uint32_t grey_sum(int thread, const Words& words) const {
        std::uint32_t sum = 0;
        PERFMODEL_UNROLL
        for (int k = 0; k < T::kDepth; ++k) {
            if (row(thread, k) >= tile.batch.height) continue;
            PERFMODEL_UNROLL
            for (int i = 0; i < 4; ++i)
                if (column(thread) + i < tile.batch.width) sum += grey(take_pixel(words.value[k], i));
        }
        return sum;
    }

    // Where a thread keeps its word of that row and plane between two parts.
    PERFMODEL_HD std::uint32_t* kept(int thread, int k, int p) const {
        const auto index =
            static_cast<std::size_t>(tile.number) * static_cast<std::size_t>(tile.batch.tiles) +
            static_cast<std::size_t>(tile.tile);
        const auto line = index * static_cast<std::size_t>(T::kDepth * kMostPlanes) +
                          static_cast<std::size_t>(k * kMostPlanes + p);
        return tile.batch.kept + line * kThreads + thread;
    }

    PERFMODEL_HD void keep(int thread, const Words& words) const {
        add_total(tile.batch.totals + tile.number, grey_sum(thread, words));
        PERFMODEL_UNROLL
        for (int k = 0; k < T::kDepth; ++k) {
            PERFMODEL_UNROLL
            for (int p = 0; p < kMostPlanes; ++p) *kept(thread, k, p) = words.value[k][p];
        }
    }

    PERFMODEL_HD void take_up(int thread, Words& words) const {
        PERFMODEL_UNROLL
        for (int k = 0; k < T::kDepth; ++k) {
            PERFMODEL_UNROLL
            for (int p = 0; p < kMostPlanes; ++p) words.value[k][p] = load_fresh(kept(thread, k, p));
        }
    }

    PERFMODEL_HD int mean() const {
        const auto pixels =
            static_cast<std::uint64_t>(tile.batch.height) * static_cast<std::uint64_t>(tile.batch.width);
        return mean_grey(load_fresh(tile.batch.totals + tile.number), pixels);
    }

    // Bits of one value of the output.
    PERFMODEL_HD std::uint32_t bits(std::uint32_t word, int index, int channel, bool cut) const {
        if (tile.image.planes == 0) return 0;
        if (cut) return tile.batch.fill;
        const auto byte = static_cast<std::uint32_t>(byte_of(word, index));
        if (tile.batch.type == OutputType::uint8) return byte;
        const float product = static_cast<float>(byte) * tile.batch.scale[channel];
        const float value = product + tile.batch.shift[channel];
        if (tile.batch.type == OutputType::float32) return float_bits(value);
        return tile.batch.type == OutputType::float16 ? half_of(value) : bfloat_of(value);
    }

    // Stores the first `count` of four values, which lie side by side.
    PERFMODEL_HD void store(std::uint8_t* at, const std::uint32_t* four, int count) const {
        const int element = tile.batch.element;
        if (count >= 4 && tile.batch.vectors != 0) {
            if (element == 4)
                *reinterpret_cast<Quad*>(at) = {{four[0], four[1], four[2], four[3]}};
            else if (element == 2)
                *reinterpret_cast<Pair*>(at) = {{four[0] | four[1] << 16, four[2] | four[3] << 16}};
            else
                *reinterpret_cast<std::uint32_t*>(at) =
                    four[0] | four[1] << 8 | four[2] << 16 | four[3] << 24;
            return;
        }
        PERFMODEL_UNROLL
        for (int i = 0; i < 4; ++i) {
            if (i >= count) continue;
            if (element == 4)
                *reinterpret_cast<std::uint32_t*>(at + i * 4) = four[i];
            else if (element == 2)
                *reinterpret_cast<std::uint16_t*>(at + i * 2) = static_cast<std::uint16_t>(four[i]);
            else
                at[i] = static_cast<std::uint8_t>(four[i]);
        }
    }

    // Address of a value of the output.
    PERFMODEL_HD std::uint8_t* address(int y, int x, int channel) const {
        const BatchTask& batch = tile.batch;
        const auto channels = static_cast<std::size_t>(batch.channels);
        const auto height = static_cast<std::size_t>(batch.height);
        const auto width = static_cast<std::size_t>(batch.width);
        const auto c = static_cast<std::size_t>(channel);
        const auto line = static_cast<std::size_t>(tile.number) * height + static_cast<std::size_t>(y);
        const auto across = static_cast<std::size_t>(x);
        const std::size_t last = (line * width + across) * channels + c;
        const std::size_t first =
            ((static_cast<std::size_t>(tile.number) * channels + c) * height + static_cast<std::size_t>(y)) *
                width +
            across;
        return batch.out +
               (batch.channels_last != 0 ? last : first) * static_cast<std::size_t>(batch.element);
    }

    // Four pixels of three channels, channels last.
    PERFMODEL_HD void write_pixels(const std::uint32_t* words, int y, int x, int count,
                                   std::uint32_t cuts) const {
        std::uint32_t values[12];
        PERFMODEL_UNROLL
        for (int i = 0; i < 12; ++i)
            values[i] = bits(words[i % 3], i / 3, i % 3, (cuts >> (i / 3) & 1U) != 0);
        const bool whole = count == 4 && tile.batch.vectors != 0;
        PERFMODEL_UNROLL
        for (int part = 0; part < 3; ++part) {
            const int rest = whole ? 4 : 3 * count - 4 * part;
            store(address(y, x, 0) + 4 * part * tile.batch.element, values + 4 * part, rest);
        }
    }

    PERFMODEL_HD void write(int thread, const Words& words) const {
        const BatchTask& batch = tile.batch;
        const int x = column(thread);
        const int count = smaller(4, batch.width - x);
        PERFMODEL_UNROLL
        for (int k = 0; k < T::kDepth; ++k) {
            const int y = row(thread, k);
            if (y >= batch.height || count <= 0) continue;
            std::uint32_t cuts = 0;
            PERFMODEL_UNROLL
            for (int i = 0; i < 4; ++i)
                if (y >= tile.image.cut_top && y < tile.image.cut_bottom && x + i >= tile.image.cut_left &&
                    x + i < tile.image.cut_right)
                    cuts |= 1U << i;
            if (batch.channels_last != 0 && batch.channels == 3) {
                write_pixels(words.value[k], y, x, count, cuts);
                continue;
            }
            PERFMODEL_UNROLL
            for (int c = 0; c < kMostPlanes; ++c) {
                if (c >= batch.channels) continue;
                std::uint32_t four[4];
                PERFMODEL_UNROLL
                for (int i = 0; i < 4; ++i) four[i] = bits(words.value[k][c], i, c, (cuts >> i & 1U) != 0);
                store(address(y, x, c), four, count);
            }
        }
    }
};

}  // namespace perfmodel::preprocess
