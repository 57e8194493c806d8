#include "cpu/image/taps.h"

#include <algorithm>
#include <cmath>

#include "cpu/image/filters.h"

namespace perfmodel::cpu::image {

namespace {

// Weights of one entry over samples from `first` on.
struct Entry {
    int first = 0;
    int length = 0;
    double* weights = nullptr;
};

// Writes the weights of entries one after another; the memory of one entry is used for the next.
class EntryMaker {
  public:
    explicit EntryMaker(const TapSpec& spec)
        : spec_(spec),
          scale_(static_cast<double>(spec.box) / spec.resized),
          stretch_(std::max(scale_, 1.0)),
          support_(filter_support(spec.filter) * stretch_),
          place_(0.5 * scale_) {
        const auto most = static_cast<std::size_t>(std::min<double>(spec.box, 2.0 * support_ + 3.0));
        pixels_.resize(most + 1);
        samples_.resize(most + 4);
    }

    // Outputs must be asked for in rising order.
    Entry make(int output) {
        if (spec_.filter == Filter::nearest)
            nearest(output);
        else
            filtered(output);
        return spec_.expand == 1 ? Entry{first_, length_, pixels_.data()} : compose();
    }

    // Samples that an entry takes at most.
    int longest() const {
        const int pixels = static_cast<int>(pixels_.size());
        return spec_.expand == 1 ? pixels : pixels / spec_.expand + 3;
    }

  private:
    // Steps from output to output as Pillow does, so that the sums round alike.
    void nearest(int output) {
        for (; next_ < output; ++next_) place_ += scale_;
        first_ = spec_.begin + std::clamp(static_cast<int>(place_), 0, spec_.box - 1);
        length_ = 1;
        pixels_[0] = 1.0;
    }

    void filtered(int output) {
        const double centre = (output + 0.5) * scale_;
        const int low = std::max(0, static_cast<int>(centre - support_ + 0.5));
        const int high = std::min(spec_.box, static_cast<int>(centre + support_ + 0.5));
        const double squeeze = 1.0 / stretch_;
        double sum = 0.0;
        for (int i = low; i < high; ++i) {
            const double weight = filter_weight(spec_.filter, (i - centre + 0.5) * squeeze);
            pixels_[static_cast<std::size_t>(i - low)] = weight;
            sum += weight;
        }
        length_ = high - low;
        first_ = spec_.begin + low;
        if (sum != 0.0)
            for (int i = 0; i < length_; ++i) pixels_[static_cast<std::size_t>(i)] /= sum;
    }

    // Weights over samples from those over pixels.
    Entry compose() {
        const int reach = spec_.triangle ? 1 : 0;
        const int low = std::max(0, first_ / spec_.expand - reach);
        const int high = std::min(spec_.samples - 1, (first_ + length_ - 1) / spec_.expand + reach);
        std::fill_n(samples_.begin(), static_cast<std::size_t>(high - low + 1), 0.0);
        for (int i = 0; i < length_; ++i) {
            const double weight = pixels_[static_cast<std::size_t>(i)];
            const int pixel = first_ + i;
            const int own = std::min(pixel / spec_.expand, spec_.samples - 1);
            const int other = spec_.triangle ? own + (pixel % 2 == 0 ? -1 : 1) : -1;
            const bool inside = other >= 0 && other < spec_.samples;
            samples_[static_cast<std::size_t>(own - low)] += inside ? 0.75 * weight : weight;
            if (inside) samples_[static_cast<std::size_t>(other - low)] += 0.25 * weight;
        }
        return {low, high - low + 1, samples_.data()};
    }

    const TapSpec& spec_;
    double scale_;
    double stretch_;  // of the filter: only downscaling widens it
    double support_;
    double place_;  // centre of output next_, for nearest
    int next_ = 0;
    int first_ = 0;
    int length_ = 0;
    std::vector<double> pixels_;
    std::vector<double> samples_;
};

// The most bits that keep the largest weight in 16 bits.
int find_shift(double largest, int most) {
    int shift = most;
    while (shift > 0 && largest * static_cast<double>(1 << shift) > 32766.0) --shift;
    return shift;
}

// Rounds running sums, so that weights sum to 2^shift and errors of neighbours cancel.
void quantise(const Entry& entry, int shift, std::int16_t* out) {
    const auto scale = static_cast<double>(1 << shift);
    double sum = 0.0;
    long before = 0;
    for (int i = 0; i < entry.length; ++i) {
        sum += entry.weights[i] * scale;
        const long now = std::lrint(sum);
        out[i] = static_cast<std::int16_t>(now - before);
        before = now;
    }
}

}  // namespace

bool TapSpec::operator==(const TapSpec& other) const {
    return samples == other.samples && pixels == other.pixels && expand == other.expand &&
           triangle == other.triangle && begin == other.begin && box == other.box &&
           resized == other.resized && first == other.first && count == other.count &&
           max_shift == other.max_shift && filter == other.filter;
}

void build_taps(const TapSpec& spec, TapTable& table) {
    EntryMaker maker(spec);
    const int all = (spec.samples + 1) / 2;
    const auto count = static_cast<std::size_t>(spec.count);
    // One pass over the weights in floating point, kept, then one that rounds.
    const auto stride = static_cast<std::size_t>(maker.longest()) + 1;
    std::vector<double> kept(count * stride);
    std::vector<Entry> entries(count);
    double largest = 0.0;
    int pairs = 1;
    for (std::size_t i = 0; i < count; ++i) {
        Entry entry = maker.make(spec.first + static_cast<int>(i));
        double* copy = kept.data() + i * stride;
        std::copy_n(entry.weights, entry.length, copy);
        for (int k = 0; k < entry.length; ++k) largest = std::max(largest, std::fabs(copy[k]));
        entry.weights = copy;
        entries[i] = entry;
        pairs = std::max(pairs, (entry.first % 2 + entry.length + 1) / 2);
    }
    table.pairs = pairs;
    table.shift = find_shift(largest, spec.max_shift);
    table.start.resize(count);
    table.weights.assign(count * static_cast<std::size_t>(pairs) * 2, 0);
    for (std::size_t i = 0; i < count; ++i) {
        const int start = std::min(entries[i].first / 2, all - pairs);
        table.start[i] = start;
        std::int16_t* weights = table.weights.data() + i * static_cast<std::size_t>(pairs) * 2;
        quantise(entries[i], table.shift, weights + (entries[i].first - 2 * start));
    }
}

PairRange touched(const TapView& view) {
    PairRange range{view.start_of(0), 0};
    for (int i = 0; i < view.outputs; ++i) {
        range.first = std::min(range.first, view.start_of(i));
        range.end = std::max(range.end, view.start_of(i) + view.pairs);
    }
    return range;
}

}  // namespace perfmodel::cpu::image
