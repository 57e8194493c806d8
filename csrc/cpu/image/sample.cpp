#include "cpu/image/sample.h"

#include <algorithm>
#include <new>

#include "cpu/image/exif.h"
#include "cpu/image/geometry.h"
#include "cpu/image/jitter.h"
#include "cpu/image/jpeg.h"
#include "cpu/image/jpeg_segments.h"
#include "cpu/image/luma.h"
#include "cpu/image/png.h"

namespace perfmodel::cpu::image {

namespace {

constexpr std::size_t kMostFileBytes = std::size_t{1} << 31;  // larger ones are no images
constexpr std::size_t kHeaderBytes = std::size_t{1} << 16;
constexpr std::size_t kKeptBytes = std::size_t{64} << 20;  // of one buffer from image to image

Outcome unknown_format() {
    return failure(Status::unknown, "is not an image of a format that this build reads (%s%s%s)",
                   reads_jpeg() ? "JPEG" : "", reads_jpeg() && reads_png() ? ", " : "",
                   reads_png() ? "PNG" : "");
}

Outcome check_pixels(const ImageHeader& header, std::uint64_t most) {
    const std::uint64_t pixels =
        static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(header.height);
    if (pixels <= most) return {};
    return failure(Status::too_large, "%d x %d pixels are more than the limit of %llu", header.height,
                   header.width, static_cast<unsigned long long>(most));
}

Outcome read_header([[maybe_unused]] Encoded encoded, [[maybe_unused]] ImageHeader& header) {
#if defined(PERFMODEL_JPEG)
    if (is_jpeg(encoded)) return read_jpeg_header(encoded, header);
#endif
#if defined(PERFMODEL_PNG)
    if (is_png(encoded)) return read_png_header(encoded, header);
#endif
    return unknown_format();
}

// Rows become columns.
void transpose(const Planes& from, const Planes& to) {
    constexpr int kTile = 16;
    for (int p = 0; p < from.count; ++p)
        for (int top = 0; top < to.height; top += kTile)
            for (int left = 0; left < to.width; left += kTile)
                for (int y = top; y < std::min(top + kTile, to.height); ++y)
                    for (int x = left; x < std::min(left + kTile, to.width); ++x)
                        to.row(p, y)[x] = from.row(p, x)[y];
}

}  // namespace

struct SampleLoader::Memory {
    explicit Memory(const Kernels& table)
        : resampler(table)
#if defined(PERFMODEL_JPEG)
          ,
          jpeg(table)
#endif
#if defined(PERFMODEL_PNG)
          ,
          png(table)
#endif
    {
    }

    Outcome read(const Source& source, Encoded& encoded);
    Outcome process(Encoded encoded, const SamplePlan& plan, const Target& target, const Writer& writer,
                    std::size_t index, const std::atomic<bool>& cancelled, StageClock& clock);
    Outcome decode(const SamplePlan& plan, const Target& target, const std::atomic<bool>& cancelled,
                   StageClock& clock);
    Outcome open(Encoded encoded, bool orient);
    void match_channels(int channels, bool apart);
    Planes make_planes(Buffer<std::uint8_t>& buffer, int count, int width, int height);
    void trim();

    Buffer<std::uint8_t> file;
    Resampler resampler;
#if defined(PERFMODEL_JPEG)
    JpegDecoder jpeg;
#endif
#if defined(PERFMODEL_PNG)
    PngDecoder png;
#endif
    Buffer<std::uint8_t> kept;    // planes of the output, as the file has them
    Buffer<std::uint8_t> turned;  // the same with rows and columns swapped
    Buffer<std::uint8_t> line;
    ImageHeader header;
    Planes planes;  // the output
    int orientation = 1;
    bool is_jpeg = false;
};

Outcome SampleLoader::Memory::read(const Source& source, Encoded& encoded) {
    bool whole = false;
    const Outcome outcome = read_source(source, kMostFileBytes, file, encoded, whole);
    if (!outcome.ok() || whole) return outcome;
    return failure(Status::too_large, "the file has more than %zu bytes", kMostFileBytes);
}

Outcome SampleLoader::Memory::open([[maybe_unused]] Encoded encoded, [[maybe_unused]] bool orient) {
    orientation = 1;
    is_jpeg = false;
#if defined(PERFMODEL_JPEG)
    if (image::is_jpeg(encoded)) {
        is_jpeg = true;
        if (orient) orientation = jpeg_orientation(encoded);
        return jpeg.open(encoded, header);
    }
#endif
#if defined(PERFMODEL_PNG)
    if (is_png(encoded)) {
        const Outcome outcome = png.open(encoded, header);
        if (orient) orientation = png.orientation();
        return outcome;
    }
#endif
    return unknown_format();
}

Planes SampleLoader::Memory::make_planes(Buffer<std::uint8_t>& buffer, int count, int width, int height) {
    Planes made;
    made.count = count;
    made.width = width;
    made.height = height;
    made.stride = round_up(static_cast<std::size_t>(width), kLanes) + kSlack;
    const std::size_t plane = made.stride * static_cast<std::size_t>(height);
    std::uint8_t* at = buffer.reserve(plane * kMostPlanes);
    for (int p = 0; p < kMostPlanes; ++p) made.plane[p] = at + plane * static_cast<std::size_t>(p);
    return made;
}

// From the open file to planes of the output's size.
Outcome SampleLoader::Memory::decode(const SamplePlan& plan, const Target& target,
                                     const std::atomic<bool>& cancelled, StageClock& clock) {
    Geometry geometry;
    Outcome outcome = find_geometry(plan, target, header.width, header.height, orientation, geometry);
    if (!outcome.ok()) return outcome;
    PlaneSampling sampling[kMostPlanes];
    for (PlaneSampling& plane : sampling) plane = {{header.width, 1, false}, {header.height, 1, false}};
    Colours colours = Colours::bytes;
    int count = 0;
    [[maybe_unused]] const bool grey = target.channels == 1;
#if defined(PERFMODEL_JPEG)
    if (is_jpeg) count = jpeg.planes(sampling, colours);
#endif
#if defined(PERFMODEL_PNG)
    if (!is_jpeg) count = png.planes(grey);
#endif
    resampler.begin(geometry, sampling, count, colours);
    planes = make_planes(kept, count, geometry.x.count, geometry.y.count);
    [[maybe_unused]] const DecodeContext context{resampler, clock, cancelled};
    clock.mark(Stage::resample);
#if defined(PERFMODEL_JPEG)
    if (is_jpeg) outcome = jpeg.decode(context);
#endif
#if defined(PERFMODEL_PNG)
    if (!is_jpeg) outcome = png.decode(context, grey);
#endif
    if (!outcome.ok()) return outcome;
    clock.mark(Stage::decode);
    const StageRange range(Stage::resample);
    resampler.finish(planes);
    if (geometry.transposed) {
        const Planes across = make_planes(turned, count, planes.height, planes.width);
        transpose(planes, across);
        planes = across;
    }
    clock.mark(Stage::resample);
    return {};
}

// Makes as many planes as the output has channels; each with memory of its own where `apart`.
void SampleLoader::Memory::match_channels(int channels, bool apart) {
    if (channels == planes.count) return;
    planes.count = channels;
    if (channels == 1) {
        for (int y = 0; y < planes.height; ++y)
            for (int x = 0; x < planes.width; ++x)
                planes.row(0, y)[x] = luma(planes.row(0, y)[x], planes.row(1, y)[x], planes.row(2, y)[x]);
        return;
    }
    const std::size_t bytes = planes.stride * static_cast<std::size_t>(planes.height);
    for (int p = 1; p < channels; ++p) {
        planes.plane[p] = planes.plane[0] + (apart ? bytes * static_cast<std::size_t>(p) : 0);
        if (apart) std::copy_n(planes.plane[0], bytes, planes.plane[p]);
    }
}

Outcome SampleLoader::Memory::process(Encoded encoded, const SamplePlan& plan, const Target& target,
                                      const Writer& writer, std::size_t index,
                                      const std::atomic<bool>& cancelled, StageClock& clock) {
    {
        const StageRange range(Stage::decode);
        Outcome outcome = open(encoded, plan.orient != 0);
        if (outcome.ok()) outcome = check_pixels(header, target.max_pixels);
        clock.mark(Stage::decode);
        if (outcome.ok()) outcome = decode(plan, target, cancelled, clock);
        if (!outcome.ok()) return outcome;
    }
    {
        const StageRange range(Stage::colour);
        match_channels(target.channels, jitters(plan));
        apply_jitter(plan, planes);
        clock.mark(Stage::colour);
    }
    const StageRange range(Stage::write);
    writer.write(planes, plan, index, line);
    clock.mark(Stage::write);
    return {};
}

// Gives back what an unusually large image needed.
void SampleLoader::Memory::trim() {
    resampler.trim(kKeptBytes);
#if defined(PERFMODEL_JPEG)
    jpeg.close(kKeptBytes);
#endif
#if defined(PERFMODEL_PNG)
    png.trim(kKeptBytes);
#endif
    for (Buffer<std::uint8_t>* buffer : {&file, &kept, &turned, &line})
        if (buffer->bytes() > kKeptBytes) buffer->release();
}

SampleLoader::SampleLoader(const Kernels& kernels) : memory_(std::make_unique<Memory>(kernels)) {}

SampleLoader::~SampleLoader() = default;

Outcome SampleLoader::load(const Source& source, const SamplePlan& plan, const Target& target,
                           const Writer& writer, std::size_t index, const std::atomic<bool>& cancelled,
                           StageClock& clock) noexcept {
    Outcome outcome;
    Encoded encoded;
    clock.start();
    try {
        {
            const StageRange range(Stage::read);
            outcome = memory_->read(source, encoded);
            clock.mark(Stage::read);
        }
        if (outcome.ok()) outcome = memory_->process(encoded, plan, target, writer, index, cancelled, clock);
    } catch (const std::bad_alloc&) {
        outcome = failure(Status::no_memory, "there is not enough memory");
    }
    memory_->trim();
    if (!outcome.ok()) writer.clear(index);
    ++clock.totals.images;
    clock.totals.bytes += encoded.size;
    if (!outcome.ok()) ++clock.totals.failed;
    return outcome;
}

Outcome SampleLoader::header(const Source& source, ImageHeader& header) noexcept {
    header = ImageHeader();
    try {
        Encoded encoded;
        bool whole = false;
        for (std::size_t most = kHeaderBytes; most <= kMostFileBytes; most *= 16) {
            Outcome outcome = read_source(source, most, memory_->file, encoded, whole);
            if (outcome.ok()) outcome = read_header(encoded, header);
            if (outcome.status != Status::corrupt || whole) return outcome;
        }
    } catch (const std::bad_alloc&) {
        return failure(Status::no_memory, "there is not enough memory");
    }
    return failure(Status::corrupt, "there is no header");
}

bool reads_jpeg() {
#if defined(PERFMODEL_JPEG)
    return true;
#else
    return false;
#endif
}

bool reads_png() {
#if defined(PERFMODEL_PNG)
    return true;
#else
    return false;
#endif
}

}  // namespace perfmodel::cpu::image
