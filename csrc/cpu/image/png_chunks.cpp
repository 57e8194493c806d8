#include "cpu/image/png_chunks.h"

#include <libdeflate.h>

#include <cstring>

#include "cpu/image/exif.h"
#include "cpu/image/png.h"

namespace perfmodel::cpu::image {

namespace {

constexpr std::uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::size_t kChunkFrame = 12;  // length, name and checksum
constexpr std::size_t kHeaderBytes = 13;

std::uint32_t big32(const std::uint8_t* at) {
    return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
           static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

struct Chunk {
    const std::uint8_t* name = nullptr;
    const std::uint8_t* data = nullptr;
    std::size_t bytes = 0;

    bool is(const char* other) const { return std::memcmp(name, other, 4) == 0; }
    bool critical() const { return (name[0] & 0x20U) == 0; }
    bool intact() const { return libdeflate_crc32(0, name, bytes + 4) == big32(data + bytes); }
};

// The chunk at `at`, which is moved behind it; false where the file ends before the chunk does.
bool next_chunk(Encoded encoded, std::size_t& at, Chunk& chunk) {
    if (encoded.size - at < kChunkFrame) return false;
    const std::size_t bytes = big32(encoded.data + at);
    if (bytes > encoded.size - at - kChunkFrame) return false;
    chunk = {encoded.data + at + 4, encoded.data + at + 8, bytes};
    at += kChunkFrame + bytes;
    return true;
}

bool known_kind(int depth, int colour) {
    switch (colour) {
        case 0:
            return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
        case 3:
            return depth == 1 || depth == 2 || depth == 4 || depth == 8;
        case 2:
        case 4:
        case 6:
            return depth == 8 || depth == 16;
        default:
            return false;
    }
}

Outcome read_palette(const Chunk& chunk, PngInfo& info) {
    if (chunk.bytes % 3 != 0 || chunk.bytes == 0 || chunk.bytes > sizeof info.palette)
        return failure(Status::corrupt, "the palette has %zu bytes", chunk.bytes);
    std::memcpy(info.palette, chunk.data, chunk.bytes);
    return {};
}

Outcome truncated() {
    return failure(Status::corrupt, "the file is truncated");
}

// Takes one chunk; `after_data` says whether image data ended before.
Outcome take_chunk(const Chunk& chunk, bool after_data, bool& has_palette, PngInfo& info) {
    if (chunk.is("IDAT")) {
        if (after_data) return {};  // image data in pieces: only the first counts, as in Pillow
        if (info.data_chunks++ == 0) {
            info.data = chunk.data;
            info.first_bytes = chunk.bytes;
        }
        info.data_bytes += chunk.bytes;
        return {};
    }
    if (chunk.critical() && !chunk.intact())
        return failure(Status::corrupt, "the checksum of chunk %.4s is wrong", chunk.name);
    if (chunk.is("PLTE")) {
        has_palette = true;
        return read_palette(chunk, info);
    }
    if (chunk.is("eXIf")) info.orientation = tiff_orientation({chunk.data, chunk.bytes});
    return {};
}

}  // namespace

int PngInfo::samples() const {
    switch (colour) {
        case PngColour::rgb:
            return 3;
        case PngColour::grey_alpha:
            return 2;
        case PngColour::rgb_alpha:
            return 4;
        default:
            return 1;
    }
}

Outcome read_png_info(Encoded encoded, PngInfo& info) {
    info = PngInfo();
    std::size_t at = sizeof kSignature;
    Chunk chunk;
    if (encoded.size < at || !next_chunk(encoded, at, chunk)) return truncated();
    if (!chunk.is("IHDR") || chunk.bytes != kHeaderBytes || !chunk.intact())
        return failure(Status::corrupt, "the PNG header is damaged");
    const std::uint32_t width = big32(chunk.data);
    const std::uint32_t height = big32(chunk.data + 4);
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX)
        return failure(Status::corrupt, "the PNG header gives a size of %u x %u", height, width);
    info.width = static_cast<int>(width);
    info.height = static_cast<int>(height);
    info.depth = chunk.data[8];
    if (!known_kind(info.depth, chunk.data[9]) || chunk.data[10] != 0 || chunk.data[11] != 0 ||
        chunk.data[12] > 1)
        return failure(Status::corrupt, "the PNG header gives an unknown kind of image");
    info.colour = static_cast<PngColour>(chunk.data[9]);
    info.interlaced = chunk.data[12] == 1;
    return {};
}

Outcome read_png_chunks(Encoded encoded, PngInfo& info) {
    std::size_t at = sizeof kSignature;
    Chunk chunk;
    next_chunk(encoded, at, chunk);  // the header again
    bool has_palette = false;
    bool after_data = false;
    do {
        if (!next_chunk(encoded, at, chunk)) return truncated();
        const Outcome outcome = take_chunk(chunk, after_data, has_palette, info);
        if (!outcome.ok()) return outcome;
        after_data = info.data_chunks > 0 && !chunk.is("IDAT");
    } while (!chunk.is("IEND"));
    if (info.data_chunks == 0) return failure(Status::corrupt, "there is no image data");
    if (info.colour == PngColour::palette && !has_palette)
        return failure(Status::corrupt, "there is no palette");
    return {};
}

void join_png_data(const PngInfo& info, std::uint8_t* out) {
    const std::uint8_t* data = info.data;
    std::size_t bytes = info.first_bytes;
    for (int chunk = 0; chunk < info.data_chunks; ++chunk) {
        std::memcpy(out, data, bytes);
        out += bytes;
        if (chunk + 1 == info.data_chunks) break;
        data += bytes + kChunkFrame;
        bytes = big32(data - 8);
    }
}

Outcome read_png_header(Encoded encoded, ImageHeader& header) {
    PngInfo info;
    const Outcome outcome = read_png_info(encoded, info);
    if (!outcome.ok()) return outcome;
    header = {info.width, info.height, info.colour == PngColour::palette ? 3 : info.samples()};
    return {};
}

bool is_png(Encoded encoded) {
    return encoded.size >= sizeof kSignature && std::memcmp(encoded.data, kSignature, sizeof kSignature) == 0;
}

}  // namespace perfmodel::cpu::image
