#include "cpu/products.h"

#include <algorithm>
#include <functional>
#include <string>
#include <thread>

#include "common/error.h"
#include "cpu/products_kernel.h"

namespace perfmodel::cpu {

namespace {

using Shape = std::vector<std::int64_t>;

// Products that are worth a thread of their own.
constexpr std::int64_t kPerThread = 4096;

// A column over the whole shape: broadcast axes have stride 0.
struct Column {
    const std::byte* data;
    Shape strides;
};

Column broadcast(const BufferView& view, const Shape& shape) {
    Column column{static_cast<const std::byte*>(view.data), Shape(shape.size(), 0)};
    const std::size_t missing = shape.size() - view.shape.size();
    for (std::size_t axis = 0; axis < view.shape.size(); ++axis)
        if (view.shape[axis] != 1) column.strides[missing + axis] = view.strides[axis];
    return column;
}

double load(const std::byte* at, bool flag) {
    return flag ? (*reinterpret_cast<const unsigned char*>(at) != 0 ? 1.0 : 0.0)
                : *reinterpret_cast<const double*>(at);
}

// Walks positions of the broadcast shape in C order and copies columns into blocks.
class Reader {
  public:
    Reader(const std::array<Column, kProductColumns>& columns, const Shape& shape, std::int64_t start)
        : columns_(columns), shape_(shape), index_(shape.size(), 0) {
        for (std::size_t axis = shape.size(); axis-- > 0 && start > 0;) {
            index_[axis] = start % shape[axis];
            start /= shape[axis];
        }
        seek();
    }

    // Fills lanes 0..count-1; the rest repeat lane 0, so that no lane computes with what is left there.
    void fill(ProductBlock& block, std::size_t count) {
        std::size_t lane = 0;
        while (lane < count) {
            const std::int64_t rest = shape_.empty() ? 1 : shape_.back() - index_.back();
            const std::size_t run = std::min(count - lane, static_cast<std::size_t>(rest));
            for (std::size_t c = 0; c < kProductColumns; ++c) copy(block.column[c] + lane, c, run);
            lane += run;
            advance(static_cast<std::int64_t>(run));
        }
        block.any_tensor = block.any_plain = false;
        for (std::size_t c = 0; c < kProductColumns; ++c)
            for (std::size_t i = count; i < kProductLanes; ++i) block.column[c][i] = block.column[c][0];
        for (std::size_t i = 0; i < count; ++i) {
            block.any_tensor |= block.column[kTensor][i] != 0.0;
            block.any_plain |= block.column[kPlain][i] != 0.0;
        }
    }

  private:
    void copy(double* out, std::size_t column, std::size_t run) const {
        const std::byte* at = at_[column];
        const std::int64_t stride = shape_.empty() ? 0 : columns_[column].strides.back();
        if (stride == 0) {
            std::fill_n(out, run, load(at, is_flag(column)));
        } else if (is_flag(column)) {
            for (std::size_t i = 0; i < run; ++i, at += stride) out[i] = load(at, true);
        } else if (stride == sizeof(double)) {
            std::copy_n(reinterpret_cast<const double*>(at), run, out);
        } else {
            for (std::size_t i = 0; i < run; ++i, at += stride) out[i] = load(at, false);
        }
    }

    void advance(std::int64_t run) {
        if (shape_.empty()) return;
        std::size_t axis = shape_.size() - 1;
        index_[axis] += run;
        if (index_[axis] < shape_[axis]) {
            for (std::size_t c = 0; c < kProductColumns; ++c) at_[c] += run * columns_[c].strides[axis];
            return;
        }
        while (index_[axis] == shape_[axis] && axis > 0) {
            index_[axis] = 0;
            ++index_[--axis];
        }
        if (index_[0] < shape_[0]) seek();
    }

    void seek() {
        for (std::size_t c = 0; c < kProductColumns; ++c) {
            at_[c] = columns_[c].data;
            for (std::size_t axis = 0; axis < shape_.size(); ++axis)
                at_[c] += index_[axis] * columns_[c].strides[axis];
        }
    }

    const std::array<Column, kProductColumns>& columns_;
    const Shape& shape_;
    Shape index_;
    std::array<const std::byte*, kProductColumns> at_{};
};

void run(double* out, const std::array<Column, kProductColumns>& columns, const Shape& shape,
         const ProductCoefficients& coefficients, std::int64_t start, std::int64_t end) {
    const ProductKernel kernel = product_kernel();
    Reader reader(columns, shape, start);
    ProductBlock block{};
    alignas(64) double seconds[kProductLanes];
    while (start < end) {
        const auto count = std::min(kProductLanes, static_cast<std::size_t>(end - start));
        reader.fill(block, count);
        kernel(block, coefficients, seconds);
        std::copy_n(seconds, count, out + start);
        start += static_cast<std::int64_t>(count);
    }
}

void check(const BufferView& out, const std::array<BufferView, kProductColumns>& columns) {
    for (std::size_t c = 0; c < kProductColumns; ++c) {
        const ElementType wanted = is_flag(c) ? ElementType::boolean : ElementType::float64;
        if (columns[c].type != wanted)
            throw ElementTypeError("column " + std::to_string(c) + " must be " + element_name(wanted) +
                                   ", not " + element_name(columns[c].type));
        bool aligned = reinterpret_cast<std::uintptr_t>(columns[c].data) % element_size(wanted) == 0;
        for (const std::int64_t stride : columns[c].strides)
            aligned = aligned && stride % static_cast<std::int64_t>(element_size(wanted)) == 0;
        PERFMODEL_EXPECTS(aligned, "column " + std::to_string(c) + " is not aligned");
    }
    if (out.readonly) throw BufferUseError("the output buffer is read-only");
    if (out.type != ElementType::float64)
        throw ElementTypeError(std::string("the output must be float64, not ") + element_name(out.type));
    PERFMODEL_EXPECTS(out.contiguous(), "the output must be contiguous");
    const Shape shape = product_shape(columns);
    PERFMODEL_EXPECTS(out.shape == shape,
                      "the output has shape " + shape_text(out.shape) + ", not " + shape_text(shape));
}

}  // namespace

std::vector<std::int64_t> product_shape(const std::array<BufferView, kProductColumns>& columns) {
    std::size_t axes = 0;
    for (const BufferView& view : columns) axes = std::max(axes, view.shape.size());
    Shape shape(axes, 1);
    for (const BufferView& view : columns) {
        const std::size_t missing = axes - view.shape.size();
        for (std::size_t axis = 0; axis < view.shape.size(); ++axis) {
            std::int64_t& length = shape[missing + axis];
            const std::int64_t own = view.shape[axis];
            PERFMODEL_EXPECTS(own == length || own == 1 || length == 1,
                              "shape " + shape_text(view.shape) + " does not broadcast with the others");
            if (length == 1) length = own;
        }
    }
    return shape;
}

void product_time(const BufferView& out, const std::array<BufferView, kProductColumns>& columns,
                  const ProductCoefficients& coefficients, std::size_t threads) {
    check(out, columns);
    PERFMODEL_EXPECTS(threads >= 1, "threads must be at least 1");
    const std::int64_t size = out.size();
    if (size == 0) return;
    std::array<Column, kProductColumns> walked;
    for (std::size_t c = 0; c < kProductColumns; ++c) walked[c] = broadcast(columns[c], out.shape);
    auto* seconds = static_cast<double*>(out.data);
    const std::int64_t most = std::max<std::int64_t>(1, size / kPerThread);
    const std::int64_t used = std::min<std::int64_t>(static_cast<std::int64_t>(threads), most);
    product_kernel();  // an unknown PERFMODEL_ISA is reported from this thread
    std::vector<std::thread> others;
    try {
        for (std::int64_t t = 1; t < used; ++t)
            others.emplace_back(run, seconds, std::cref(walked), std::cref(out.shape),
                                std::cref(coefficients), size * t / used, size * (t + 1) / used);
        run(seconds, walked, out.shape, coefficients, 0, size / used);
    } catch (...) {
        for (std::thread& thread : others) thread.join();
        throw;
    }
    for (std::thread& thread : others) thread.join();
}

}  // namespace perfmodel::cpu
