#include "bindings/lend_device.h"

#include "bindings/borrow.h"
#include "bindings/gil.h"
#include "bindings/lend.h"
#include "common/error.h"
#include "cuda/preprocessor.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

using cuda::DeviceBatch;

constexpr std::int64_t kNoStream = -1;  // the consumer sees to the order itself

Lent lent_of(const DeviceBatch& batch) {
    Lent lent;
    lent.data = batch.output->data();
    lent.type = batch.type;
    lent.shape = batch.shape;
    lent.device = {dlpack::DeviceType::cuda, batch.outputs->device()};
    lent.owner = batch.output;
    return lent;
}

// The stream as DLPack and __cuda_array_interface__ number it: 1 the default one, 2 that of the thread.
cudaStream_t stream_of(std::int64_t number) {
    PERFMODEL_EXPECTS(number > 0,
                      "stream 0 is ambiguous; give 1 for the default stream, 2 for that of the thread");
    return reinterpret_cast<cudaStream_t>(
        static_cast<std::uintptr_t>(number));  // 1 and 2 are CUDA's own numbers
}

py::capsule dlpack(const DeviceBatch& batch, const py::object& stream, const py::object& max_version,
                   const py::object& dl_device, const py::object& copy) {
    const Lent lent = lent_of(batch);
    expect_plain_loan(lent, dl_device, copy);
    const auto number = stream.is_none() ? std::int64_t{1} : stream.cast<std::int64_t>();
    if (number == kNoStream) {
        batch.output->lend_unknown();
    } else {
        const cuda::DeviceGuard guard(lent.device.device_id);
        batch.output->lend(stream_of(number));
    }
    return lend_by_dlpack(lent, max_version);
}

const char* type_string(ElementType type) {
    switch (type) {
        case ElementType::float32:
            return "<f4";
        case ElementType::float16:
            return "<f2";
        case ElementType::uint8:
            return "|u1";
        default:
            return nullptr;
    }
}

// Version 3: the consumer waits for `stream`. Some do not look at it, so the default stream waits as well.
py::dict array_interface(const DeviceBatch& batch) {
    const char* type = type_string(batch.type);
    if (type == nullptr) throw py::attribute_error("bfloat16 has no __cuda_array_interface__; use DLPack");
    {
        const cuda::DeviceGuard guard(batch.outputs->device());
        batch.output->lend(cudaStreamLegacy);
        batch.output->lend_unknown();
    }
    py::dict result;
    result["shape"] = shape_tuple(batch.shape);
    result["typestr"] = type;
    result["data"] = py::make_tuple(reinterpret_cast<std::uintptr_t>(batch.output->data()), false);
    result["strides"] = py::none();
    result["version"] = 3;
    result["stream"] = reinterpret_cast<std::uintptr_t>(batch.outputs->stream().get());
    return result;
}

py::dict times(const DeviceBatch& batch) {
    const cuda::DeviceGuard guard(batch.outputs->device());
    {
        const WithoutGil outside;
        batch.output->ready.synchronize();
    }
    py::dict result;
    result["copy_s"] = batch.output->copied.seconds_since(batch.output->started);
    result["kernel_s"] = batch.output->ready.seconds_since(batch.output->copied);
    result["read_bytes"] = batch.read_bytes;
    result["write_bytes"] = batch.write_bytes;
    return result;
}

void wait_on(const DeviceBatch& batch, std::int64_t stream) {
    const cuda::DeviceGuard guard(batch.outputs->device());
    batch.output->lend(stream_of(stream));
}

// Copies the batch to host memory and waits for it.
void copy_to(const DeviceBatch& batch, py::handle out) {
    const std::shared_ptr<Borrowed> target = borrow(out, true);
    expect_room(target->view(), lent_of(batch));
    const WithoutGil outside;
    const cuda::DeviceGuard guard(batch.outputs->device());
    const cudaStream_t stream = batch.outputs->stream().get();
    PERFMODEL_CUDA_CALL(cudaMemcpyAsync(target->view().data, batch.output->data(), target->view().nbytes(),
                                        cudaMemcpyDeviceToHost, stream));
    PERFMODEL_CUDA_CALL(cudaStreamSynchronize(stream));
}

// A tensor taken out of its capsule; given back once, under Python's lock.
std::shared_ptr<void> own(dlpack::ManagedTensor* managed) {
    return {managed, [](dlpack::ManagedTensor* back) {
                const py::gil_scoped_acquire gil;
                if (back->deleter != nullptr) back->deleter(back);
            }};
}

void check_pixels(const dlpack::Tensor& tensor, int device) {
    if (tensor.device.device_type != dlpack::DeviceType::cuda || tensor.device.device_id != device)
        throw BufferUseError("the pixels must be on GPU " + std::to_string(device));
    if (tensor.dtype.code != dlpack::TypeCode::unsigned_integer || tensor.dtype.bits != 8 ||
        tensor.dtype.lanes != 1)
        throw ElementTypeError("the pixels must be uint8");
    if (tensor.ndim != 1 || (tensor.strides != nullptr && tensor.shape[0] > 1 && tensor.strides[0] != 1))
        throw BufferUseError("the pixels must be one contiguous row of bytes");
}

}  // namespace

DevicePixels borrow_device_pixels(const py::object& object, int device, cudaStream_t stream) {
    const auto number = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(stream));
    const py::object capsule = object.attr("__dlpack__")(py::arg("stream") = number);
    auto* managed = static_cast<dlpack::ManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    if (managed == nullptr) throw py::error_already_set();
    check_pixels(managed->tensor, device);
    DevicePixels pixels;
    pixels.data = static_cast<const std::uint8_t*>(managed->tensor.data) + managed->tensor.byte_offset;
    pixels.bytes = static_cast<std::uint64_t>(managed->tensor.shape[0]);
    if (PyCapsule_SetName(capsule.ptr(), "used_dltensor") != 0) throw py::error_already_set();
    pixels.owner = own(managed);
    return pixels;
}

void register_device_batch(py::module_& module) {
    py::class_<DeviceBatch>(module, "DeviceBatch", "A batch of images on a GPU.")
        .def_property_readonly("shape", [](const DeviceBatch& batch) { return shape_tuple(batch.shape); })
        .def_property_readonly("dtype", [](const DeviceBatch& batch) { return element_name(batch.type); })
        .def_property_readonly("device", [](const DeviceBatch& batch) { return batch.outputs->device(); })
        .def_property_readonly("ready",
                               [](const DeviceBatch& batch) { return batch.output->ready.happened(); })
        .def(
            "wait",
            [](const DeviceBatch& batch) {
                const WithoutGil outside;
                batch.output->ready.synchronize();
            },
            "Wait until the batch is there.")
        .def("wait_on", &wait_on, py::arg("stream"), "Make a stream wait until the batch is there.")
        .def("copy_to", &copy_to, py::arg("out"),
             "Copy into a host buffer of the same shape and element size.")
        .def("times", &times, "Seconds of its copies and of its kernel, and the bytes of the kernel.")
        .def("__dlpack__", &dlpack, py::kw_only(), py::arg("stream") = py::none(),
             py::arg("max_version") = py::none(), py::arg("dl_device") = py::none(),
             py::arg("copy") = py::none())
        .def("__dlpack_device__",
             [](const DeviceBatch& batch) { return device_tuple(lent_of(batch).device); })
        .def_property_readonly("__cuda_array_interface__", &array_interface);
}

}  // namespace perfmodel::bindings
