#include "cpu/microbench.h"

#include <chrono>
#include <cstring>
#include <functional>

#include "common/error.h"
#include "cpu/isa.h"

namespace perfmodel::cpu {

namespace {

using RowSum = double (*)(const std::byte* row, std::int64_t n, std::int64_t stride);

double dense_float_row(const std::byte* row, std::int64_t n, std::int64_t) {
    return active().sum_float(reinterpret_cast<const float*>(row), static_cast<std::size_t>(n));
}

template <typename T>
double strided_row(const std::byte* row, std::int64_t n, std::int64_t stride) {
    double total = 0.0;
    for (std::int64_t i = 0; i < n; ++i) {
        T value;
        std::memcpy(&value, row + i * stride, sizeof(T));
        total += static_cast<double>(value);
    }
    return total;
}

RowSum row_sum(const BufferView& view, std::int64_t inner_stride) {
    const bool aligned = reinterpret_cast<std::uintptr_t>(view.data) % alignof(float) == 0;
    if (view.type == ElementType::float32 && aligned && inner_stride == sizeof(float)) return dense_float_row;
    if (view.type == ElementType::float32) return strided_row<float>;
    if (view.type == ElementType::float64) return strided_row<double>;
    throw ElementTypeError(std::string("sum takes float32 or float64, not ") + element_name(view.type));
}

bool rows_aligned(const BufferView& view) {
    for (std::size_t axis = 0; axis + 1 < view.shape.size(); ++axis)
        if (view.strides[axis] % static_cast<std::int64_t>(alignof(float)) != 0) return false;
    return true;
}

double sum_axis(const BufferView& view, std::size_t axis, const std::byte* base, RowSum row) {
    if (axis + 1 >= view.shape.size()) return row(base, view.shape[axis], view.strides[axis]);
    double total = 0.0;
    for (std::int64_t i = 0; i < view.shape[axis]; ++i)
        total += sum_axis(view, axis + 1, base + i * view.strides[axis], row);
    return total;
}

bool overlap(const BufferView& a, const BufferView& b) {
    const std::less<const std::byte*> before;
    const auto* a0 = static_cast<const std::byte*>(a.data);
    const auto* b0 = static_cast<const std::byte*>(b.data);
    return before(a0, b0 + b.nbytes()) && before(b0, a0 + a.nbytes());
}

void expect_same(const BufferView& out, const BufferView& in) {
    PERFMODEL_EXPECTS(out.shape == in.shape,
                      "the shapes differ: " + shape_text(out.shape) + " and " + shape_text(in.shape));
    PERFMODEL_EXPECTS(out.type == in.type, std::string("the types differ: ") + element_name(out.type) +
                                               " and " + element_name(in.type));
    PERFMODEL_EXPECTS(out.contiguous() && in.contiguous(), "the buffers must be contiguous");
    if (out.readonly) throw BufferUseError("the output buffer is read-only");
    PERFMODEL_EXPECTS(out.nbytes() == 0 || !overlap(out, in), "the output overlaps an input");
}

const float* floats(const BufferView& view) {
    if (view.type != ElementType::float32)
        throw ElementTypeError(std::string("triad takes float32, not ") + element_name(view.type));
    PERFMODEL_EXPECTS(reinterpret_cast<std::uintptr_t>(view.data) % alignof(float) == 0,
                      "the buffer is not aligned to 4 bytes");
    return static_cast<const float*>(view.data);
}

}  // namespace

double sum(const BufferView& view) {
    if (view.shape.empty()) {
        const RowSum row = row_sum(view, 0);
        return row(static_cast<const std::byte*>(view.data), 1, 0);
    }
    const std::int64_t inner_stride = rows_aligned(view) ? view.strides.back() : 0;
    RowSum row = row_sum(view, inner_stride);
    if (view.size() == 0) return 0.0;
    return sum_axis(view, 0, static_cast<const std::byte*>(view.data), row);
}

void triad(const BufferView& out, const BufferView& a, const BufferView& b, float scale) {
    expect_same(out, a);
    expect_same(out, b);
    const float* first = floats(a);
    const float* second = floats(b);
    floats(out);
    active().triad_float(static_cast<float*>(out.data), first, second, scale,
                         static_cast<std::size_t>(out.size()));
}

void copy(const BufferView& out, const BufferView& in) {
    expect_same(out, in);
    if (out.nbytes() > 0) std::memcpy(out.data, in.data, out.nbytes());
}

FmaRate fma_rate(double seconds) {
    PERFMODEL_EXPECTS(seconds > 0.0 && seconds <= 60.0, "seconds must be above 0 and at most 60");
    using Clock = std::chrono::steady_clock;
    const Kernels& kernels = active();
    constexpr std::size_t kRounds = 20000;
    volatile float sink = kernels.fma_float(kRounds / 10, 0.5F);
    std::size_t rounds = 0;
    double elapsed = 0.0;
    const auto start = Clock::now();
    while (elapsed < seconds) {
        sink = kernels.fma_float(kRounds, 0.5F);
        rounds += kRounds;
        elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    }
    static_cast<void>(sink);
    return {static_cast<double>(rounds) * static_cast<double>(kernels.flops_per_round), elapsed};
}

}  // namespace perfmodel::cpu
