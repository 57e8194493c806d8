// The part of the DLPack exchange format (dmlc/dlpack, version 1.1, Apache-2.0) that borrowing needs: the
// layouts below are an ABI and may not change.
#pragma once

#include <cstdint>

namespace perfmodel::dlpack {

// Kinds of device, by DLPack's number.
enum class DeviceType : std::int32_t {
    cpu = 1,
    cuda = 2,
    cuda_host = 3,
    opencl = 4,
    vulkan = 7,
    metal = 8,
    vpi = 9,
    rocm = 10,
    rocm_host = 11,
    cuda_managed = 13,
    oneapi = 14,
};

struct Device {
    DeviceType device_type;
    std::int32_t device_id;
};

// Kinds of element, by DLPack's number; the 8-bit floats (7 to 14) and below 8 bits are not borrowed.
enum class TypeCode : std::uint8_t {
    signed_integer = 0,
    unsigned_integer = 1,
    floating = 2,
    opaque = 3,
    bfloat = 4,
    complex = 5,
    boolean = 6,
};

struct DataType {
    TypeCode code;
    std::uint8_t bits;
    std::uint16_t lanes;
};

struct Tensor {
    void* data;
    Device device;
    std::int32_t ndim;
    DataType dtype;
    std::int64_t* shape;
    std::int64_t* strides;  // in elements; null means C order
    std::uint64_t byte_offset;
};

// What a capsule named "dltensor" holds.
struct ManagedTensor {
    Tensor tensor;
    void* manager_context;
    void (*deleter)(ManagedTensor*);
};

struct Version {
    std::uint32_t major;
    std::uint32_t minor;
};

inline constexpr std::uint32_t kMajorVersion = 1;
inline constexpr std::uint32_t kMinorVersion = 1;
inline constexpr std::uint64_t kFlagReadOnly = 1U << 0;

// What a capsule named "dltensor_versioned" holds. Where the major version differs only `version`, the
// context and the deleter may be read.
struct ManagedTensorVersioned {
    Version version;
    void* manager_context;
    void (*deleter)(ManagedTensorVersioned*);
    std::uint64_t flags;
    Tensor tensor;
};

static_assert(sizeof(Device) == 8 && sizeof(DataType) == 4 && sizeof(Version) == 8);
static_assert(sizeof(void*) != 8 || (sizeof(Tensor) == 48 && sizeof(ManagedTensor) == 64));

}  // namespace perfmodel::dlpack
