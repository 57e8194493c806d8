// A view of memory that somebody else owns: address, element type, shape and strides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace perfmodel {

enum class ElementType {
    boolean,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float16,
    bfloat16,
    float32,
    float64,
};

// Bytes of one element.
std::size_t element_size(ElementType type);

// The NumPy name of the type ("float32", ...; "bfloat16" is named so too).
const char* element_name(ElementType type);

// Shape and strides (in bytes) of borrowed memory in host memory. Strides are never negative.
struct BufferView {
    void* data = nullptr;
    ElementType type = ElementType::uint8;
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides;
    bool readonly = true;

    std::int64_t size() const;
    std::size_t nbytes() const;
    // True when the elements lie in C order without gaps; true for one element and for none.
    bool contiguous() const;
};

// Strides in bytes of a C-ordered array of this shape.
std::vector<std::int64_t> contiguous_strides(const std::vector<std::int64_t>& shape,
                                             std::size_t element_size);

// Throws BufferUseError where a shape or stride is negative, the number of bytes overflows, or memory
// that holds elements has no address.
void validate(const BufferView& view);

// The shape as Python prints it, for messages: "(2, 3)".
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace perfmodel
