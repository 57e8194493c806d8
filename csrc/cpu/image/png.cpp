#include "cpu/image/png.h"

#include <libdeflate.h>

#include <algorithm>

#include "cpu/image/memory.h"
#include "cpu/image/png_rows.h"

namespace perfmodel::cpu::image {

namespace {

constexpr int kPasses = 7;
constexpr std::size_t kMostExpansion = 1032;  // bytes that one byte of deflate data can become

// Pass of an interlaced image: its first pixel and the distances between its pixels.
struct Pass {
    int x;
    int y;
    int step_x;
    int step_y;
};

constexpr Pass kAdam7[kPasses] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                  {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

int pixels_of_pass(int size, int first, int step) {
    return size > first ? (size - first + step - 1) / step : 0;
}

// The pass, as rows; the data pointer is left alone.
PngRows rows_of_pass(const PngInfo& info, const Pass& pass) {
    PngRows rows;
    rows.width = pixels_of_pass(info.width, pass.x, pass.step_x);
    rows.height = rows.width > 0 ? pixels_of_pass(info.height, pass.y, pass.step_y) : 0;
    rows.bytes = info.row_bytes(rows.width);
    return rows;
}

std::size_t inflated_bytes(const PngInfo& info) {
    if (!info.interlaced) return static_cast<std::size_t>(info.height) * (info.row_bytes(info.width) + 1);
    std::size_t bytes = 0;
    for (const Pass& pass : kAdam7) bytes += rows_of_pass(info, pass).size();
    return bytes;
}

struct FreeDecompressor {
    void operator()(libdeflate_decompressor* decompressor) const {
        libdeflate_free_decompressor(decompressor);
    }
};

Outcome bad_filter() {
    return failure(Status::corrupt, "a row has an unknown filter");
}

}  // namespace

struct PngDecoder::State {
    explicit State(const Kernels& table) : kernels(table), decompressor(libdeflate_alloc_decompressor()) {
        if (decompressor == nullptr) throw std::bad_alloc();
    }

    Outcome inflate();
    Outcome decode_rows(const DecodeContext& context, bool grey);
    Outcome decode_passes(const DecodeContext& context, bool grey);
    Outcome spread_pass(const PngRows& rows, const Pass& pass, const Planes& whole);
    const std::uint8_t* plane_row(const PngRows& rows, int y, PairRange columns, bool grey, int slot,
                                  int plane);
    void push_whole(const DecodeContext& context, const Planes& whole);
    void prepare_lines();

    const Kernels& kernels;
    std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor;
    PngInfo info;
    Buffer<std::uint8_t> joined;    // all IDAT
    Buffer<std::uint8_t> inflated;  // rows with their filters
    Buffer<std::uint8_t> zeros;     // stands above the first row
    Buffer<std::uint8_t> lines;     // 16 rows of three planes, and three of one row
    Buffer<std::uint8_t> whole;     // planes of an interlaced image
    std::size_t stride = 0;         // of lines and whole
};

Outcome PngDecoder::State::inflate() {
    const std::size_t bytes = inflated_bytes(info);
    // Before memory is taken: can so little data become so many pixels?
    if (bytes / kMostExpansion > info.data_bytes) return failure(Status::corrupt, "too little image data");
    const std::uint8_t* data = info.data;
    if (info.data_chunks > 1) {
        join_png_data(info, joined.reserve(info.data_bytes));
        data = joined.get();
    }
    std::uint8_t* out = inflated.reserve(bytes + 2 * kSlack) + kSlack;
    std::size_t actual = 0;
    switch (libdeflate_zlib_decompress(decompressor.get(), data, info.data_bytes, out, bytes, &actual)) {
        case LIBDEFLATE_SUCCESS:
            if (actual == bytes) break;
            return failure(Status::corrupt, "the image data ends too early");
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            return failure(Status::corrupt, "the image data is longer than the image");
        default:
            return failure(Status::corrupt, "the image data is damaged");
    }
    std::fill_n(inflated.get(), kSlack, std::uint8_t{0});
    std::fill_n(out + bytes, kSlack, std::uint8_t{0});
    std::fill_n(zeros.reserve(info.row_bytes(info.width) + 2 * kSlack),
                info.row_bytes(info.width) + 2 * kSlack, std::uint8_t{0});
    return {};
}

void PngDecoder::State::prepare_lines() {
    stride = round_up(static_cast<std::size_t>(info.width) + kSlack, 64);
    const std::size_t bytes = static_cast<std::size_t>(kMostPlanes) * (kRows + 1) * stride;
    if (lines.bytes() < bytes) std::fill_n(lines.reserve(bytes), bytes, std::uint8_t{0});
}

// Where a row of a plane lies after its pixels were split; `slot` is the row's place among 16. Splits at
// plane 0.
const std::uint8_t* PngDecoder::State::plane_row(const PngRows& rows, int y, PairRange columns, bool grey,
                                                 int slot, int plane) {
    const std::uint8_t* row = rows.row(y);
    if (info.colour == PngColour::grey && info.depth == 8) return row;
    const auto line = [this](int p, int r) {
        return lines.get() + static_cast<std::size_t>(p * (kRows + 1) + r) * stride;
    };
    if (plane == 0) {
        const int begin = 2 * columns.first;
        const int end = std::min(info.width, 2 * columns.end);
        const bool convert = grey && !is_grey(info);
        const int place = convert ? kRows : slot;
        std::uint8_t* const planes[kMostPlanes] = {line(0, place), line(1, place), line(2, place)};
        split_row(kernels, info, row, begin, end, planes);
        if (convert) grey_row(planes, begin, end, line(0, slot));
    }
    return line(plane, slot);
}

Outcome PngDecoder::State::decode_rows(const DecodeContext& context, bool grey) {
    PngRows rows{inflated.get() + kSlack, info.width, info.height, info.row_bytes(info.width)};
    prepare_lines();
    Resampler& resampler = context.resampler;
    const int planes = grey || is_grey(info) ? 1 : kMostPlanes;
    const PairRange needed = resampler.rows(0);
    const PairRange columns = resampler.columns(0);
    const int end = std::min(info.height, 2 * needed.end);
    if (!unfilter_rows(kernels, info, rows, 0, std::min(end, 2 * needed.first), zeros.get() + kSlack))
        return bad_filter();
    const std::uint8_t* at[kMostPlanes][kRows] = {};
    for (int top = 2 * needed.first; top < end; top += kRows) {
        if (context.cancelled.load(std::memory_order_relaxed)) return cancelled_outcome();
        const int count = std::min(kRows, end - top);
        if (!unfilter_rows(kernels, info, rows, top, top + count, zeros.get() + kSlack)) return bad_filter();
        context.clock.mark(Stage::decode);
        for (int r = 0; r < count; ++r)
            for (int p = 0; p < planes; ++p) at[p][r] = plane_row(rows, top + r, columns, grey, r, p);
        for (int r = 0; r < count; r += 2)
            for (int p = 0; p < planes; ++p)
                resampler.push(p, (top + r) / 2, at[p][r], at[p][std::min(r + 1, count - 1)]);
        resampler.flush();
        context.clock.mark(Stage::resample);
    }
    return {};
}

// Puts the pixels of a pass where they belong.
Outcome PngDecoder::State::spread_pass(const PngRows& rows, const Pass& pass, const Planes& planes) {
    std::uint8_t* const line[kMostPlanes] = {lines.get(), lines.get() + stride, lines.get() + 2 * stride};
    if (!unfilter_rows(kernels, info, rows, 0, rows.height, zeros.get() + kSlack)) return bad_filter();
    for (int y = 0; y < rows.height; ++y) {
        split_row(kernels, info, rows.row(y), 0, rows.width, line);
        for (int p = 0; p < planes.count; ++p) {
            std::uint8_t* out = planes.row(p, pass.y + y * pass.step_y) + pass.x;
            for (int x = 0; x < rows.width; ++x)
                out[static_cast<std::ptrdiff_t>(x) * pass.step_x] = line[p][x];
        }
    }
    return {};
}

Outcome PngDecoder::State::decode_passes(const DecodeContext& context, bool grey) {
    prepare_lines();
    Planes planes;
    planes.count = is_grey(info) ? 1 : kMostPlanes;
    planes.width = info.width;
    planes.height = info.height;
    planes.stride = stride;
    const std::size_t plane_bytes = stride * static_cast<std::size_t>(info.height);
    whole.reserve(plane_bytes * static_cast<std::size_t>(planes.count));
    for (int p = 0; p < planes.count; ++p)
        planes.plane[p] = whole.get() + plane_bytes * static_cast<std::size_t>(p);
    std::uint8_t* data = inflated.get() + kSlack;
    for (const Pass& pass : kAdam7) {
        if (context.cancelled.load(std::memory_order_relaxed)) return cancelled_outcome();
        PngRows rows = rows_of_pass(info, pass);
        rows.data = data;
        const Outcome outcome = spread_pass(rows, pass, planes);
        if (!outcome.ok()) return outcome;
        data += rows.size();
    }
    if (grey && planes.count == kMostPlanes) {
        for (int y = 0; y < info.height; ++y) {
            const std::uint8_t* const row[kMostPlanes] = {planes.row(0, y), planes.row(1, y),
                                                          planes.row(2, y)};
            grey_row(row, 0, info.width, planes.row(0, y));
        }
        planes.count = 1;
    }
    context.clock.mark(Stage::decode);
    push_whole(context, planes);
    context.clock.mark(Stage::resample);
    return {};
}

void PngDecoder::State::push_whole(const DecodeContext& context, const Planes& planes) {
    const PairRange needed = context.resampler.rows(0);
    for (int pair = needed.first; pair < needed.end; ++pair)
        for (int p = 0; p < planes.count; ++p)
            context.resampler.push(p, pair, planes.row(p, 2 * pair),
                                   planes.row(p, std::min(2 * pair + 1, info.height - 1)));
    context.resampler.flush();
}

PngDecoder::PngDecoder(const Kernels& kernels) : state_(std::make_unique<State>(kernels)) {}

PngDecoder::~PngDecoder() = default;

Outcome PngDecoder::open(Encoded encoded, ImageHeader& header) {
    const Outcome outcome = read_png_info(encoded, state_->info);
    if (!outcome.ok()) return outcome;
    const PngInfo& info = state_->info;
    header = {info.width, info.height, info.colour == PngColour::palette ? 3 : info.samples()};
    return read_png_chunks(encoded, state_->info);
}

int PngDecoder::orientation() const {
    return state_->info.orientation;
}

int PngDecoder::planes(bool grey) const {
    return grey || is_grey(state_->info) ? 1 : kMostPlanes;
}

Outcome PngDecoder::decode(const DecodeContext& context, bool grey) {
    const Outcome outcome = state_->inflate();
    if (!outcome.ok()) return outcome;
    return state_->info.interlaced ? state_->decode_passes(context, grey)
                                   : state_->decode_rows(context, grey);
}

Outcome PngDecoder::unfilter() {
    State& state = *state_;
    const Outcome outcome = state.inflate();
    if (!outcome.ok()) return outcome;
    std::uint8_t* data = state.inflated.get() + kSlack;
    const PngInfo& info = state.info;
    const Pass all = {0, 0, 1, 1};
    for (int pass = 0; pass < (info.interlaced ? kPasses : 1); ++pass) {
        PngRows rows = rows_of_pass(info, info.interlaced ? kAdam7[pass] : all);
        rows.data = data;
        if (!unfilter_rows(state.kernels, info, rows, 0, rows.height, state.zeros.get() + kSlack))
            return bad_filter();
        data += rows.size();
    }
    return {};
}

void PngDecoder::trim(std::size_t most) {
    for (Buffer<std::uint8_t>* buffer :
         {&state_->joined, &state_->inflated, &state_->zeros, &state_->lines, &state_->whole})
        if (buffer->bytes() > most) buffer->release();
}

}  // namespace perfmodel::cpu::image
