#include "cpu/image/geometry.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace perfmodel::cpu::image {

namespace {

// Half to even, as Python's round().
double round_even(double value) {
    return std::nearbyint(value);
}

int offset(float share, int size, int crop) {
    const int free = size - crop;
    if (!(share >= 0.0F)) return static_cast<int>(round_even(free / 2.0));
    const double place = std::floor(static_cast<double>(share) * (static_cast<double>(free) + 1.0));
    return static_cast<int>(std::min<double>(free, place));
}

// The size as a part of the image that resized region takes, at least one pixel and at most all of them.
int part(double size, int most) {
    if (!(size >= 1.0)) return 1;
    return static_cast<int>(std::min<double>(most, round_even(size)));
}

void use_region(const SamplePlan& plan, const Target& target, Axis& x, Axis& y) {
    const double area = static_cast<double>(plan.area) * x.size * y.size;
    x.box = part(std::sqrt(area * static_cast<double>(plan.ratio)), x.size);
    y.box = part(std::sqrt(area / static_cast<double>(plan.ratio)), y.size);
    x.begin = offset(plan.u, x.size, x.box);
    y.begin = offset(plan.v, y.size, y.box);
    x.resized = x.count = target.width;
    y.resized = y.count = target.height;
}

int scaled(int shorter, int size, int least) {
    const auto product = static_cast<double>(shorter) * size;
    return static_cast<int>(std::min(1e9, std::floor(product / least)));
}

void use_resize(const SamplePlan& plan, Axis& x, Axis& y) {
    x.box = x.resized = x.size;
    y.box = y.resized = y.size;
    switch (static_cast<Resize>(plan.mode)) {
        case Resize::exact:
            x.resized = plan.width;
            y.resized = plan.height;
            break;
        case Resize::shorter:
            x.resized = x.size <= y.size ? plan.height : scaled(plan.height, x.size, y.size);
            y.resized = y.size <= x.size ? plan.height : scaled(plan.height, y.size, x.size);
            break;
        default:
            break;
    }
}

// From the orientation that is shown to that of the file. Orientations 5 to 8 swap rows and columns; after
// that 2, 3, 7 and 8 mirror left and right, 3, 4, 6 and 7 top and bottom.
void orient(int orientation, Geometry& geometry) {
    geometry.transposed = orientation >= 5;
    if (geometry.transposed) std::swap(geometry.x, geometry.y);
    const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    for (auto [axis, mirror] : {std::pair(&geometry.x, mirror_x), std::pair(&geometry.y, mirror_y)}) {
        if (!mirror) continue;
        axis->begin = axis->size - axis->begin - axis->box;
        axis->first = axis->resized - axis->first - axis->count;
        axis->reversed = !axis->reversed;
    }
}

}  // namespace

Outcome find_geometry(const SamplePlan& plan, const Target& target, int width, int height, int orientation,
                      Geometry& geometry) {
    geometry = Geometry();
    Axis& x = geometry.x;
    Axis& y = geometry.y;
    x.size = orientation >= 5 ? height : width;
    y.size = orientation >= 5 ? width : height;
    if (static_cast<Resize>(plan.mode) == Resize::region) {
        use_region(plan, target, x, y);
    } else {
        use_resize(plan, x, y);
        if (target.width > x.resized || target.height > y.resized)
            return failure(Status::crop, "the crop of %d x %d is larger than the image of %d x %d",
                           target.height, target.width, y.resized, x.resized);
        x.count = target.width;
        y.count = target.height;
        x.first = offset(plan.u, x.resized, x.count);
        y.first = offset(plan.v, y.resized, y.count);
    }
    x.reversed = plan.flip != 0;
    geometry.filter = plan.filter < kFilters ? static_cast<Filter>(plan.filter) : target.filter;
    if (static_cast<Resize>(plan.mode) == Resize::none) geometry.filter = Filter::nearest;
    orient(orientation, geometry);
    return {};
}

}  // namespace perfmodel::cpu::image
