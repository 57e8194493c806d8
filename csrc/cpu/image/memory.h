// Memory that a worker keeps from image to image.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace perfmodel::cpu::image {

// Grows, never shrinks by itself, does not keep what it held; new memory is not touched, so that sizes which
// a damaged file claims cost nothing until rows are there.
template <typename T>
class Buffer {
  public:
    // At least `count` elements, aligned to 64 bytes. Throws std::bad_alloc.
    T* reserve(std::size_t count) {
        if (count <= capacity_) return data_.get();
        if (count > (SIZE_MAX - kAlign) / sizeof(T)) throw std::bad_alloc();
        data_.reset();
        capacity_ = 0;
        const std::size_t bytes = (count * sizeof(T) + kAlign - 1) / kAlign * kAlign;
        data_.reset(static_cast<T*>(std::aligned_alloc(kAlign, bytes)));
        if (data_ == nullptr) throw std::bad_alloc();
        capacity_ = count;
        return data_.get();
    }

    T* get() const { return data_.get(); }
    std::size_t bytes() const { return capacity_ * sizeof(T); }

    void release() {
        data_.reset();
        capacity_ = 0;
    }

  private:
    struct Free {
        void operator()(T* data) const { std::free(data); }
    };
    static constexpr std::size_t kAlign = 64;

    std::unique_ptr<T, Free> data_;
    std::size_t capacity_ = 0;
};

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

}  // namespace perfmodel::cpu::image
