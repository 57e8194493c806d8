#include "cpu/image/filters.h"

#include <cmath>

namespace perfmodel::cpu::image {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kBicubicA = -0.5;  // Pillow's choice of Keys' parameter

double sinc(double x) {
    return x == 0.0 ? 1.0 : std::sin(kPi * x) / (kPi * x);
}

double bicubic(double x) {
    if (x < 1.0) return ((kBicubicA + 2.0) * x - (kBicubicA + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * kBicubicA;
    return 0.0;
}

}  // namespace

double filter_support(Filter filter) {
    switch (filter) {
        case Filter::nearest:
            return 0.0;
        case Filter::box:
            return 0.5;
        case Filter::bilinear:
            return 1.0;
        case Filter::bicubic:
            return 2.0;
        case Filter::lanczos:
            return 3.0;
    }
    return 0.0;
}

double filter_weight(Filter filter, double distance) {
    const double x = std::fabs(distance);
    switch (filter) {
        case Filter::nearest:
            return 0.0;
        case Filter::box:
            return distance > -0.5 && distance <= 0.5 ? 1.0 : 0.0;
        case Filter::bilinear:
            return x < 1.0 ? 1.0 - x : 0.0;
        case Filter::bicubic:
            return bicubic(x);
        case Filter::lanczos:
            return distance >= -3.0 && distance < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
    }
    return 0.0;
}

}  // namespace perfmodel::cpu::image
