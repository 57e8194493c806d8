#include "cpu/image/exif.h"

#include <cstring>

#include "cpu/image/jpeg_segments.h"

namespace perfmodel::cpu::image {

namespace {

constexpr unsigned kOrientationTag = 0x0112;
constexpr unsigned kShort = 3;
constexpr unsigned kLong = 4;
constexpr std::size_t kEntryBytes = 12;

// Numbers of a TIFF block in its byte order; 0 beyond its end.
struct Tiff {
    Encoded block;
    bool big = false;

    unsigned get16(std::size_t at) const {
        if (at > block.size || block.size - at < 2) return 0;
        const unsigned first = block.data[at];
        const unsigned second = block.data[at + 1];
        return big ? first << 8 | second : second << 8 | first;
    }
    unsigned get32(std::size_t at) const {
        const unsigned first = get16(at);
        const unsigned second = get16(at + 2);
        return big ? first << 16 | second : second << 16 | first;
    }
};

int valid_orientation(unsigned value) {
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

bool starts_with(Encoded data, const char* text, std::size_t length) {
    return data.size >= length && std::memcmp(data.data, text, length) == 0;
}

// The number in `tiff:Orientation="6"` or `<tiff:Orientation>6`, else 0.
int xmp_orientation(Encoded text) {
    static constexpr char kKey[] = "tiff:Orientation";
    const void* found = memmem(text.data, text.size, kKey, sizeof kKey - 1);
    if (found == nullptr) return 0;
    const auto* at = static_cast<const std::uint8_t*>(found) + sizeof kKey - 1;
    const std::uint8_t* end = text.data + text.size;
    if (end - at >= 3 && at[0] == '=' && at[1] == '"') return valid_orientation(at[2] - '0');
    if (end - at >= 2 && at[0] == '>') return valid_orientation(at[1] - '0');
    return 0;
}

}  // namespace

int tiff_orientation(Encoded block) {
    if (block.size < 8) return 1;
    const bool big = block.data[0] == 'M' && block.data[1] == 'M';
    if (!big && (block.data[0] != 'I' || block.data[1] != 'I')) return 1;
    const Tiff tiff{block, big};
    const std::size_t directory = tiff.get32(4);
    const unsigned entries = tiff.get16(directory);
    for (unsigned i = 0; i < entries; ++i) {
        const std::size_t at = directory + 2 + i * kEntryBytes;
        if (at > block.size || block.size - at < kEntryBytes) break;
        if (tiff.get16(at) != kOrientationTag) continue;
        const unsigned type = tiff.get16(at + 2);
        if (type == kShort) return valid_orientation(tiff.get16(at + 8));
        return type == kLong ? valid_orientation(tiff.get32(at + 8)) : 1;
    }
    return 1;
}

int jpeg_orientation(Encoded file) {
    static constexpr char kExif[] = "Exif\0";  // and another zero
    static constexpr char kXmp[] = "http://ns.adobe.com/xap/1.0/";
    int by_xmp = 0;
    JpegSegments segments(file);
    for (JpegSegment segment; segments.next(segment);) {
        if (segment.marker != 0xE1) continue;
        if (starts_with(segment.data, kExif, 6))
            return tiff_orientation({segment.data.data + 6, segment.data.size - 6});
        if (by_xmp == 0 && starts_with(segment.data, kXmp, sizeof kXmp))
            by_xmp = xmp_orientation(segment.data);
    }
    return by_xmp == 0 ? 1 : by_xmp;
}

}  // namespace perfmodel::cpu::image
