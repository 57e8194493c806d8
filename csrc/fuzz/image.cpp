// A libFuzzer target: the first bytes of an input choose what is done with the image that the others are.
// Whatever they are, loading has to end with a status; what was not loaded has to be zero.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cpu/image/sample.h"

namespace {

namespace image = perfmodel::cpu::image;

constexpr std::size_t kChoices = 16;
constexpr std::uint64_t kMostPixels = 1U << 20;  // keeps single inputs fast

image::SamplePlan make_plan(const std::uint8_t* choice) {
    image::SamplePlan plan = {};
    plan.mode = choice[0] % 4;
    plan.height = static_cast<std::uint16_t>(1 + choice[1]);
    plan.width = static_cast<std::uint16_t>(1 + choice[2]);
    plan.u = static_cast<float>(choice[3]) / 255.0F - 0.01F;
    plan.v = static_cast<float>(choice[4]) / 255.0F - 0.01F;
    plan.area = static_cast<float>(1 + choice[5]) / 256.0F;
    plan.ratio = static_cast<float>(1 + choice[6]) / 100.0F;
    plan.flip = choice[7] & 1U;
    plan.orient = (choice[7] >> 1) & 1U;
    plan.channels = (choice[7] & 4U) != 0 ? 1 : 3;
    plan.filter = choice[8] % image::kFilters;
    for (std::size_t step = 0; step < image::kJitterSteps; ++step)
        plan.order[step] = static_cast<std::uint8_t>((step + choice[9]) % image::kJitterSteps);
    plan.brightness = plan.contrast = plan.saturation = (choice[9] & 64U) != 0 ? 1.3F : 1.0F;
    plan.hue = (choice[9] & 128U) != 0 ? 0.2F : 0.0F;
    plan.cut_h = plan.cut_w = static_cast<float>(choice[10]) / 200.0F;
    plan.cut_y = plan.cut_x = static_cast<float>(choice[11]) / 200.0F;
    return plan;
}

image::Target make_target(const std::uint8_t* choice, const image::SamplePlan& plan) {
    using perfmodel::ElementType;
    constexpr ElementType kTypes[] = {ElementType::float32, ElementType::float16, ElementType::bfloat16,
                                      ElementType::uint8};
    image::Target target;
    target.type = kTypes[choice[12] % 4];
    target.channels_last = (choice[12] & 4U) != 0;
    target.height = 1 + choice[13] % 80;
    target.width = 1 + choice[14] % 80;
    target.channels = plan.channels;
    target.max_pixels = kMostPixels;
    return target;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static image::SampleLoader loader(image::image_kernels());
    if (size < kChoices) return 0;
    const image::SamplePlan plan = make_plan(data);
    image::Target target = make_target(data, plan);
    // Exactly as large as they may be, so that the sanitizer sees what lies outside.
    std::vector<std::byte> out(target.sample_bytes(), std::byte{0x55});
    const std::vector<std::uint8_t> encoded(data + kChoices, data + size);
    target.data = out.data();
    image::Source source;
    source.bytes = {encoded.data(), encoded.size()};
    const image::Writer writer(image::image_kernels(), target);
    const std::atomic<bool> cancelled{false};
    image::StageClock clock;
    const image::Outcome outcome = loader.load(source, plan, target, writer, 0, cancelled, clock);
    const auto zero = [](std::byte value) { return value == std::byte{0}; };
    if (!outcome.ok() && !std::all_of(out.begin(), out.end(), zero)) __builtin_trap();
    image::ImageHeader header;
    loader.header(source, header);
    return 0;
}
