#include "common/buffer.h"

#include <limits>

#include "common/error.h"

namespace perfmodel {

namespace {

// Product of two non-negative numbers; throws where it overflows.
std::int64_t checked_product(std::int64_t a, std::int64_t b) {
    if (b != 0 && a > std::numeric_limits<std::int64_t>::max() / b)
        throw BufferUseError("the buffer's size in bytes overflows 64 bits");
    return a * b;
}

}  // namespace

std::size_t element_size(ElementType type) {
    switch (type) {
        case ElementType::boolean:
        case ElementType::int8:
        case ElementType::uint8:
            return 1;
        case ElementType::int16:
        case ElementType::uint16:
        case ElementType::float16:
        case ElementType::bfloat16:
            return 2;
        case ElementType::int32:
        case ElementType::uint32:
        case ElementType::float32:
            return 4;
        case ElementType::int64:
        case ElementType::uint64:
        case ElementType::float64:
            return 8;
    }
    throw PreconditionError("unknown element type");
}

const char* element_name(ElementType type) {
    switch (type) {
        case ElementType::boolean:
            return "bool";
        case ElementType::int8:
            return "int8";
        case ElementType::int16:
            return "int16";
        case ElementType::int32:
            return "int32";
        case ElementType::int64:
            return "int64";
        case ElementType::uint8:
            return "uint8";
        case ElementType::uint16:
            return "uint16";
        case ElementType::uint32:
            return "uint32";
        case ElementType::uint64:
            return "uint64";
        case ElementType::float16:
            return "float16";
        case ElementType::bfloat16:
            return "bfloat16";
        case ElementType::float32:
            return "float32";
        case ElementType::float64:
            return "float64";
    }
    throw PreconditionError("unknown element type");
}

std::int64_t BufferView::size() const {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    return count;
}

std::size_t BufferView::nbytes() const {
    return static_cast<std::size_t>(size()) * element_size(type);
}

bool BufferView::contiguous() const {
    if (size() <= 1) return true;
    auto expected = static_cast<std::int64_t>(element_size(type));
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        if (shape[axis] != 1 && strides[axis] != expected) return false;
        expected *= shape[axis];
    }
    return true;
}

std::vector<std::int64_t> contiguous_strides(const std::vector<std::int64_t>& shape,
                                             std::size_t element_size) {
    std::vector<std::int64_t> strides(shape.size());
    auto stride = static_cast<std::int64_t>(element_size);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        strides[axis] = stride;
        stride = checked_product(stride, shape[axis] > 0 ? shape[axis] : 1);
    }
    return strides;
}

void validate(const BufferView& view) {
    if (view.shape.size() != view.strides.size())
        throw BufferUseError("the buffer's shape and strides differ in length");
    std::int64_t count = 1;
    std::int64_t span = static_cast<std::int64_t>(element_size(view.type));
    for (std::size_t axis = 0; axis < view.shape.size(); ++axis) {
        if (view.shape[axis] < 0) throw BufferUseError("the buffer has a negative extent");
        count = checked_product(count, view.shape[axis]);
    }
    checked_product(count, static_cast<std::int64_t>(element_size(view.type)));
    if (count == 0) return;
    for (std::size_t axis = 0; axis < view.shape.size(); ++axis) {
        if (view.shape[axis] <= 1) continue;
        if (view.strides[axis] < 0)
            throw BufferUseError("the buffer has a negative stride; pass a copy (numpy.ascontiguousarray)");
        const std::int64_t reach = checked_product(view.shape[axis] - 1, view.strides[axis]);
        if (span > std::numeric_limits<std::int64_t>::max() - reach)
            throw BufferUseError("the buffer's span in bytes overflows 64 bits");
        span += reach;
    }
    if (view.data == nullptr) throw BufferUseError("the buffer holds elements but has no address");
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
    std::string text = "(";
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (axis > 0) text += ", ";
        text += std::to_string(shape[axis]);
    }
    return text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace perfmodel
