#include "preprocess/batch.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "common/error.h"
#include "cpu/image/geometry.h"
#include "cpu/image/output.h"
#include "preprocess/colour.h"
#include "preprocess/tile.h"

namespace perfmodel::preprocess {

namespace {

namespace image = cpu::image;

// Bits of a weight's fraction so that no sum of bytes leaves 32 bits: those of the host's loader, so that
// both give the same bytes.
constexpr int kAcrossShift = 22;
constexpr int kDownShift = 15;
constexpr std::size_t kMostWeightBytes = 16 << 10;  // of columns, in shared memory
constexpr std::size_t kReadBehind = 16;             // bytes behind the rows that are read and not used
constexpr std::size_t kAlign = 16;

std::size_t aligned(std::size_t bytes) {
    return (bytes + kAlign - 1) / kAlign * kAlign;
}

std::size_t fixed_bytes(int columns) {
    return static_cast<std::size_t>(columns == kWideColumns ? Layout<kWideColumns>::kWeights
                                                            : Layout<kNarrowColumns>::kWeights);
}

// The columns of which fewer lie outside of the output; the wide ones where both waste the same.
int choose_columns(int asked, int width) {
    PERFMODEL_EXPECTS(asked == 0 || asked == kWideColumns || asked == kNarrowColumns,
                      "a tile has 64 or 32 columns, not " + std::to_string(asked));
    if (asked != 0) return asked;
    const auto covered = [width](int columns) { return (width + columns - 1) / columns * columns; };
    return covered(kNarrowColumns) < covered(kWideColumns) ? kNarrowColumns : kWideColumns;
}

// Copies the entries of an axis in the order of the outputs.
AxisTask add_axis(const image::TapView& view, bool even, Batch& batch) {
    AxisTask axis{};
    axis.starts = static_cast<std::uint32_t>(batch.starts.size());
    axis.weights = static_cast<std::uint32_t>(batch.weights.size());
    axis.pairs = even ? (view.pairs + 1) / 2 * 2 : view.pairs;
    axis.shift = view.shift;
    const auto pairs = static_cast<std::size_t>(axis.pairs);
    const auto outputs = static_cast<std::size_t>(view.outputs);
    PERFMODEL_EXPECTS(batch.weights.size() + outputs * pairs < UINT32_MAX,
                      "the batch needs too many weights");
    batch.weights.resize(batch.weights.size() + outputs * pairs);
    for (int i = 0; i < view.outputs; ++i) {
        batch.starts.push_back(view.start_of(i));
        std::memcpy(batch.weights.data() + axis.weights + static_cast<std::size_t>(i) * pairs,
                    view.weights_of(i), static_cast<std::size_t>(view.pairs) * sizeof(std::uint32_t));
    }
    return axis;
}

void add_jitter(const image::SamplePlan& plan, int channels, ImageTask& task) {
    task.factor[0] = plan.brightness;
    task.factor[1] = plan.contrast;
    task.factor[2] = plan.saturation;
    task.hue = hue_steps(plan.hue);
    task.pause = kMostSteps;
    const bool coloured = channels == 3;
    const bool active[kMostSteps] = {plan.brightness != 1.0F, plan.contrast != 1.0F,
                                     coloured && plan.saturation != 1.0F, coloured && plan.hue != 0.0F};
    for (int place = 0; place < kMostSteps; ++place) {
        const std::uint8_t step = plan.order[place];
        task.order[place] = step;
        task.active[place] = active[step] ? 1 : 0;
        if (active[step] && static_cast<image::Jitter>(step) == image::Jitter::contrast) task.pause = place;
    }
}

// Groups of bytes that the widest tile needs of a row.
std::int32_t most_groups(const Batch& batch, const ImageTask& task) {
    std::int32_t most = 0;
    const std::int32_t* starts = batch.starts.data() + task.x.starts;
    for (int left = 0; left < batch.task.width; left += batch.columns) {
        const int last = std::min(left + batch.columns, batch.task.width) - 1;
        most = std::max(most, 2 * (std::abs(starts[last] - starts[left]) + task.x.pairs));
    }
    return (15 + most * task.planes + kGroupBytes - 1) / kGroupBytes;
}

std::uint64_t needed_bytes(const Batch& batch, const ImageTask& task) {
    const auto span = [&batch](const AxisTask& axis, int outputs, int size) {
        const std::int32_t* starts = batch.starts.data() + axis.starts;
        const int first = 2 * std::min(starts[0], starts[outputs - 1]);
        const int end = 2 * (std::max(starts[0], starts[outputs - 1]) + axis.pairs);
        return static_cast<std::uint64_t>(std::min(end, size) - first);
    };
    return span(task.x, batch.task.width, task.width) * span(task.y, batch.task.height, task.height) *
           static_cast<std::uint64_t>(task.planes);
}

void check_image(const DecodedImage& decoded, const std::string& name) {
    PERFMODEL_EXPECTS(decoded.planes == 1 || decoded.planes == 3,
                      name + " has " + std::to_string(decoded.planes) + " channels; 1 and 3 are possible");
    PERFMODEL_EXPECTS(decoded.width >= 1 && decoded.height >= 1 && decoded.width < (1 << 28) / 3,
                      name + " has no pixels, or too many");
    PERFMODEL_EXPECTS(decoded.pitch >= static_cast<std::uint64_t>(decoded.width) *
                                           static_cast<std::uint64_t>(decoded.planes),
                      name + ": its rows overlap");
}

ImageTask make_image(const DecodedImage& decoded, const image::SamplePlan& plan, const image::Target& target,
                     const std::string& name, image::TapCache& taps, Batch& batch) {
    ImageTask task{};
    if (decoded.planes == 0) {
        task.pause = kMostSteps;
        return task;
    }
    check_image(decoded, name);
    image::Geometry geometry;
    const image::Outcome outcome =
        image::find_geometry(plan, target, decoded.width, decoded.height, 1, geometry);
    PERFMODEL_EXPECTS(outcome.ok(), name + ": " + outcome.reason);
    task.offset = decoded.offset;
    task.pitch = decoded.pitch;
    task.width = decoded.width;
    task.height = decoded.height;
    task.planes = decoded.planes;
    task.x = add_axis(taps.view(geometry.x, {decoded.width, 1, false}, geometry.filter, kAcrossShift), true,
                      batch);
    task.y = add_axis(taps.view(geometry.y, {decoded.height, 1, false}, geometry.filter, kDownShift), false,
                      batch);
    add_jitter(plan, target.channels, task);
    const image::CutBox box = image::find_cut(plan, target);
    task.cut_top = box.top;
    task.cut_bottom = box.bottom;
    task.cut_left = box.left;
    task.cut_right = box.right;
    batch.read_bytes += needed_bytes(batch, task);
    return task;
}

OutputType output_type(ElementType type) {
    switch (type) {
        case ElementType::float32:
            return OutputType::float32;
        case ElementType::float16:
            return OutputType::float16;
        case ElementType::uint8:
            return OutputType::uint8;
        default:
            return OutputType::bfloat16;
    }
}

void describe_output(const image::Target& target, std::size_t count, Batch& batch) {
    BatchTask& task = batch.task;
    task.height = target.height;
    task.width = target.width;
    task.channels = target.channels;
    task.type = output_type(target.type);
    task.element = static_cast<std::int32_t>(element_size(target.type));
    task.channels_last = target.channels_last ? 1 : 0;
    task.vectors = target.width % 4 == 0 ? 1 : 0;
    task.tiles_across = (target.width + batch.columns - 1) / batch.columns;
    task.tiles = task.tiles_across * ((target.height + kTileRows - 1) / kTileRows);
    for (int c = 0; c < target.channels; ++c) {
        task.scale[c] = image::output_scale(target, c);
        task.shift[c] = image::output_shift(target, c);
    }
    task.fill = image::fill_bits(target);
    batch.out_bytes = target.sample_bytes() * count;
}

// Divides shared memory: weights of columns, and as many rows as fit. An image that does not fit is read in
// place.
void share_memory(std::size_t most_bytes, Batch& batch) {
    const auto columns = static_cast<std::size_t>(batch.columns);
    const std::size_t fixed = fixed_bytes(batch.columns) + kReadBehind;
    PERFMODEL_EXPECTS(most_bytes >= fixed + kMostWeightBytes, "a block needs more shared memory");
    std::vector<std::int32_t> groups;
    for (ImageTask& task : batch.images) {
        groups.push_back(task.planes == 0 ? 0 : most_groups(batch, task));
        const auto quads = static_cast<std::size_t>(task.x.pairs / 2);
        const std::size_t two_rows = 2 * static_cast<std::size_t>(groups.back()) * kGroupBytes;
        task.staged = quads * columns * sizeof(Pair) <= kMostWeightBytes &&
                              two_rows <= most_bytes - fixed - kMostWeightBytes
                          ? 1
                          : 0;
        if (task.staged != 0) batch.task.quads = std::max(batch.task.quads, task.x.pairs / 2);
    }
    const std::size_t before = fixed + static_cast<std::size_t>(batch.task.quads) * columns * sizeof(Pair);
    std::size_t most = 0;
    for (std::size_t i = 0; i < batch.images.size(); ++i) {
        ImageTask& task = batch.images[i];
        task.chunk = kChunkRows;
        if (task.staged == 0) continue;
        const std::size_t row = static_cast<std::size_t>(groups[i]) * kGroupBytes;
        while (static_cast<std::size_t>(task.chunk) * row > most_bytes - before) task.chunk /= 2;
        most = std::max(most, static_cast<std::size_t>(task.chunk) * row);
    }
    batch.shared_bytes = before + most;
}

// Images one after the other; second parts follow when the blocks that run at a time have all moved on.
void order_work(int resident, Batch& batch) {
    const auto count = batch.images.size();
    const auto tiles = static_cast<std::size_t>(batch.task.tiles);
    const std::size_t lag = static_cast<std::size_t>(std::max(resident, 1)) / tiles + 1;
    std::size_t paused = 0;
    for (std::size_t i = 0; i < count + lag; ++i) {
        if (i < count) batch.order.push_back(static_cast<std::uint32_t>(2 * i));
        if (i < lag || batch.images[i - lag].pause == kMostSteps) continue;
        batch.order.push_back(static_cast<std::uint32_t>(2 * (i - lag) + 1));
        ++paused;
    }
    PERFMODEL_EXPECTS(batch.order.size() * tiles < UINT32_MAX / 2, "the batch has too many tiles");
    batch.task.tickets = static_cast<std::uint32_t>(batch.order.size() * tiles);
    const auto tile_words = static_cast<std::size_t>(kTileRows * batch.columns / 4 * kMostPlanes);
    batch.kept_words = paused == 0 ? 0 : count * tiles * tile_words;
}

}  // namespace

Batch BatchMaker::make(const std::vector<DecodedImage>& images, const image::SamplePlan* plans,
                       const image::Target& target, const BatchOptions& options) {
    PERFMODEL_EXPECTS(images.size() < (1U << 30), "the batch has too many images");
    Batch batch;
    batch.columns = choose_columns(options.columns, target.width);
    describe_output(target, images.size(), batch);
    for (std::size_t i = 0; i < images.size(); ++i) {
        image::SamplePlan plan;
        std::memcpy(&plan, plans + i, sizeof plan);
        batch.images.push_back(
            make_image(images[i], plan, target, "image " + std::to_string(i), taps_, batch));
    }
    share_memory(options.shared_bytes, batch);
    order_work(options.resident, batch);
    return batch;
}

std::size_t Batch::description_bytes() const {
    return aligned(images.size() * sizeof(ImageTask)) + aligned(starts.size() * sizeof(starts[0])) +
           aligned(weights.size() * sizeof(weights[0])) + aligned(order.size() * sizeof(order[0]));
}

void Batch::write_description(std::byte* to) const {
    const auto add = [&to](const auto& values) {
        const std::size_t bytes = values.size() * sizeof(values[0]);
        if (bytes == 0) return;
        std::memcpy(to, values.data(), bytes);
        std::memset(to + bytes, 0, aligned(bytes) - bytes);
        to += aligned(bytes);
    };
    add(images);
    add(starts);
    add(weights);
    add(order);
}

BatchTask Batch::bind(const std::byte* at) const {
    BatchTask bound = task;
    const auto take = [&at](const auto& values, auto& pointer) {
        pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(at);
        at += aligned(values.size() * sizeof(values[0]));
    };
    take(images, bound.images);
    take(starts, bound.starts);
    take(weights, bound.weights);
    take(order, bound.order);
    return bound;
}

}  // namespace perfmodel::preprocess
