#include "preprocess/decode.h"

#include <cstring>
#include <utility>

#include "cpu/image/geometry.h"
#include "cpu/image/write.h"

namespace perfmodel::preprocess {

namespace {

namespace image = cpu::image;

// The image as it is, in the orientation that the sample's plan asks for.
image::SamplePlan whole_plan(const image::SamplePlan& plan, int planes) {
    image::SamplePlan whole = {};
    whole.u = whole.v = -1.0F;
    whole.channels = static_cast<std::uint8_t>(planes);
    for (std::uint8_t step = 0; step < image::kJitterSteps; ++step) whole.order[step] = step;
    whole.brightness = whole.contrast = whole.saturation = 1.0F;
    whole.orient = plan.orient;
    return whole;
}

image::Target whole_target(const DecodedImage& decoded, std::uint8_t* at, std::uint64_t max_pixels) {
    image::Target target;
    target.data = reinterpret_cast<std::byte*>(at);
    target.type = ElementType::uint8;
    target.height = decoded.height;
    target.width = decoded.width;
    target.channels = decoded.planes;
    target.channels_last = true;
    target.max_pixels = max_pixels;
    return target;
}

// What one thread of a crew decodes with.
struct Hands {
    const image::Kernels& kernels;
    image::SampleLoader& loader;
    const std::atomic<bool>& cancelled;
    image::StageClock clock;

    image::Outcome decode(const image::Source& source, const image::SamplePlan& plan,
                          const DecodedImage& decoded, std::uint8_t* at, std::uint64_t max_pixels) {
        const image::Target target = whole_target(decoded, at, max_pixels);
        const image::Writer writer(kernels, target);
        return loader.load(source, whole_plan(plan, decoded.planes), target, writer, 0, cancelled, clock);
    }
};

// Finds out why an image has no size: by decoding it to a single pixel, which fails.
image::Outcome explain(Hands& hands, const image::Source& source, const image::SamplePlan& plan,
                       std::uint64_t max_pixels) {
    std::uint8_t pixel[64];
    DecodedImage one;
    one.width = one.height = one.planes = 1;
    const image::Outcome outcome = hands.decode(source, plan, one, pixel, max_pixels);
    return outcome.ok() ? image::failure(image::Status::corrupt, "its header cannot be read") : outcome;
}

image::Outcome decode_one(Hands& hands, const DecodeJob& job, std::size_t index, DecodedImage& decoded,
                          std::uint8_t* pixels) {
    image::SamplePlan plan;
    std::memcpy(&plan, job.plans + index, sizeof plan);
    const image::Source& source = job.sources[index];
    if (decoded.planes == 0) return explain(hands, source, plan, job.target.max_pixels);
    std::uint8_t* at = pixels + decoded.offset;
    image::Outcome outcome = hands.decode(source, plan, decoded, at, job.target.max_pixels);
    if (outcome.status == image::Status::crop && plan.orient != 0) {
        std::swap(decoded.width, decoded.height);
        decoded.pitch =
            static_cast<std::uint64_t>(decoded.width) * static_cast<std::uint64_t>(decoded.planes);
        outcome = hands.decode(source, plan, decoded, at, job.target.max_pixels);
    }
    if (!outcome.ok()) return outcome;
    image::Geometry geometry;
    return image::find_geometry(plan, job.target, decoded.width, decoded.height, 1, geometry);
}

}  // namespace

bool read_image_sizes(image::Crew& crew, const DecodeJob& job, std::vector<ImageSize>& sizes) {
    sizes.assign(job.sources.size(), ImageSize());
    image::Job work;
    work.count = job.sources.size();
    work.run = [&](image::SampleLoader& loader, std::size_t i, image::StageCounters&) {
        image::ImageHeader header;
        if (!loader.header(job.sources[i], header).ok()) return;
        const auto pixels =
            static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(header.height);
        if (pixels == 0 || pixels > job.target.max_pixels) return;
        const bool grey = header.channels == 1 || job.target.channels == 1;
        sizes[i] = {header.height, header.width, grey ? 1 : 3};
    };
    return crew.run(work, job.interrupted);
}

bool decode_images(image::Crew& crew, const DecodeJob& job, const std::vector<std::size_t>& which,
                   std::vector<DecodedImage>& images, std::uint8_t* pixels,
                   std::vector<image::Outcome>& outcomes) {
    image::Job work;
    work.count = which.size();
    work.run = [&](image::SampleLoader& loader, std::size_t i, image::StageCounters& counters) {
        Hands hands{crew.kernels(), loader, work.cancelled, {}};
        const std::size_t index = which[i];
        outcomes[index] = decode_one(hands, job, index, images[index], pixels);
        if (!outcomes[index].ok()) images[index].planes = 0;
        counters.add(hands.clock.totals);
    };
    return crew.run(work, job.interrupted);
}

}  // namespace perfmodel::preprocess
