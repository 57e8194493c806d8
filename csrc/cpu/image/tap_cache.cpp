#include "cpu/image/tap_cache.h"

namespace perfmodel::cpu::image {

namespace {

// A table of all outputs serves every crop; where the crop is a small part of them, only its own are made.
bool whole_pays(const Axis& axis) {
    return axis.resized <= 4 * axis.count && axis.resized <= 8192;
}

}  // namespace

TapView TapCache::view(const Axis& axis, const Sampling& sampling, Filter filter, int max_shift) {
    TapSpec spec;
    spec.samples = sampling.samples;
    spec.pixels = axis.size;
    spec.expand = sampling.expand;
    spec.triangle = sampling.triangle;
    spec.begin = axis.begin;
    spec.box = axis.box;
    spec.resized = axis.resized;
    spec.max_shift = max_shift;
    spec.filter = filter;
    spec.first = whole_pays(axis) ? 0 : axis.first;
    spec.count = whole_pays(axis) ? axis.resized : axis.count;
    const TapTable& table = find(spec);
    const int entry = axis.first - spec.first + (axis.reversed ? axis.count - 1 : 0);
    TapView view;
    view.pairs = table.pairs;
    view.shift = table.shift;
    view.step = axis.reversed ? -1 : 1;
    view.outputs = axis.count;
    view.start = table.start.data() + entry;
    view.weights = table.weights.data() + static_cast<std::ptrdiff_t>(entry) * table.pairs * 2;
    return view;
}

const TapTable& TapCache::find(const TapSpec& spec) {
    for (auto at = tables_.begin(); at != tables_.end(); ++at) {
        if (!(at->spec == spec)) continue;
        tables_.splice(tables_.begin(), tables_, at);
        return at->table;
    }
    if (tables_.size() < kTables)
        tables_.emplace_front();
    else
        tables_.splice(tables_.begin(), tables_, std::prev(tables_.end()));
    Kept& kept = tables_.front();
    kept.spec = TapSpec();  // matches nothing, should building run out of memory
    if (kept.table.weights.capacity() > kMostEntries) kept.table = TapTable();
    build_taps(spec, kept.table);
    kept.spec = spec;
    return kept.table;
}

void TapCache::clear() {
    tables_.clear();
}

}  // namespace perfmodel::cpu::image
