#include "cpu/image/resampler.h"

#include <algorithm>

namespace perfmodel::cpu::image {

namespace {

// Bits of a weight's fraction so that no sum leaves 32 bits: of bytes, and of 16-bit values with overshoot.
constexpr int kHorizontalShift = 22;
constexpr int kVerticalShift = 15;

}  // namespace

void Resampler::begin(const Geometry& geometry, const PlaneSampling* planes, int count, Colours colours) {
    count_ = count;
    colours_ = colours;
    outputs_ = geometry.x.count;
    stride_ = static_cast<std::ptrdiff_t>(round_up(static_cast<std::size_t>(outputs_), kLanes));
    std::size_t widest = 0;
    for (int p = 0; p < count; ++p) {
        Plane& plane = planes_[p];
        plane.x = taps_.view(geometry.x, planes[p].x, geometry.filter, kHorizontalShift);
        plane.y = taps_.view(geometry.y, planes[p].y, geometry.filter, kVerticalShift);
        plane.columns = touched(plane.x);
        plane.rows = touched(plane.y);
        plane.queue = p;
        for (int other = p - 1; other >= 0; --other)
            if (planes_[other].x.weights == plane.x.weights) plane.queue = other;
        queues_[p] = Queue();
        queues_[p].plane = p;
        const auto rows = static_cast<std::size_t>(plane.rows.end - plane.rows.first);
        plane.passed.reserve(rows * static_cast<std::size_t>(stride_));
        widest = std::max(widest, static_cast<std::size_t>(plane.columns.end - plane.columns.first));
    }
    gathered_.reserve((widest + kRowPairs) * kGathered);
    spare_.reserve(static_cast<std::size_t>(stride_));
    fine_.reserve(static_cast<std::size_t>(stride_) * kMostPlanes);
}

void Resampler::push(int index, int pair, const std::uint8_t* upper, const std::uint8_t* lower) {
    Plane& plane = planes_[index];
    if (pair < plane.rows.first || pair >= plane.rows.end) return;
    Queue& queue = queues_[plane.queue];
    queue.row[2 * queue.length] = upper;
    queue.row[2 * queue.length + 1] = lower;
    queue.out[queue.length] = plane.passed.get() + (pair - plane.rows.first) * stride_;
    if (++queue.length == kRowPairs) run(queue);
}

void Resampler::flush() {
    for (int p = 0; p < count_; ++p)
        if (queues_[p].length > 0) run(queues_[p]);
}

void Resampler::run(Queue& queue) {
    for (int q = queue.length; q < kRowPairs; ++q) {
        queue.row[2 * q] = queue.row[2 * q + 1] = queue.row[0];
        queue.out[q] = spare_.get();
    }
    queue.length = 0;
    const Plane& plane = planes_[queue.plane];
    const PairRange columns = plane.columns;
    kernels_.gather(queue.row, columns.first, columns.end - columns.first, gathered_.get());
    kernels_.horizontal(gathered_.get(), columns.first, plane.x, colours_ == Colours::bytes, queue.out);
}

void Resampler::finish(const Planes& out) {
    for (int y = 0; y < out.height; ++y) {
        if (colours_ == Colours::ycc)
            finish_fine(out, y);
        else
            finish_bytes(out, y);
    }
}

void Resampler::finish_fine(const Planes& out, int y) {
    std::int16_t* rows[kMostPlanes];
    for (int p = 0; p < kMostPlanes; ++p) {
        const Plane& plane = planes_[p];
        rows[p] = fine_.get() + p * stride_;
        kernels_.vertical_fine(plane.passed.get() + (plane.y.start_of(y) - plane.rows.first) * stride_,
                               stride_, plane.y.weights_of(y), plane.y.pairs, plane.y.shift, outputs_,
                               rows[p]);
    }
    kernels_.colour(rows[0], rows[1], rows[2], outputs_, out.row(0, y), out.row(1, y), out.row(2, y));
}

void Resampler::finish_bytes(const Planes& out, int y) {
    for (int p = 0; p < count_; ++p) {
        const Plane& plane = planes_[p];
        kernels_.vertical_byte(plane.passed.get() + (plane.y.start_of(y) - plane.rows.first) * stride_,
                               stride_, plane.y.weights_of(y), plane.y.pairs, plane.y.shift, outputs_,
                               out.row(p, y));
    }
}

void Resampler::trim(std::size_t most) {
    for (Plane& plane : planes_)
        if (plane.passed.bytes() > most) plane.passed.release();
    if (gathered_.bytes() > most) gathered_.release();
}

}  // namespace perfmodel::cpu::image
