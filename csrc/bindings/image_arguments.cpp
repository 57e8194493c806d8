#include "bindings/image_arguments.h"

#include <cstddef>
#include <cstring>

#include "common/error.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

using cpu::image::SamplePlan;
using cpu::image::Source;
using cpu::image::Target;

struct PlanField {
    const char* name;
    const char* type;
    std::size_t offset;
};

constexpr PlanField kPlanFields[] = {
    {"mode", "u1", offsetof(SamplePlan, mode)},
    {"rh", "u2", offsetof(SamplePlan, height)},
    {"rw", "u2", offsetof(SamplePlan, width)},
    {"cu", "f4", offsetof(SamplePlan, u)},
    {"cv", "f4", offsetof(SamplePlan, v)},
    {"area", "f4", offsetof(SamplePlan, area)},
    {"ratio", "f4", offsetof(SamplePlan, ratio)},
    {"flip", "u1", offsetof(SamplePlan, flip)},
    {"channels", "u1", offsetof(SamplePlan, channels)},
    {"filter", "u1", offsetof(SamplePlan, filter)},
    {"order", "4u1", offsetof(SamplePlan, order)},
    {"brightness", "f4", offsetof(SamplePlan, brightness)},
    {"contrast", "f4", offsetof(SamplePlan, contrast)},
    {"saturation", "f4", offsetof(SamplePlan, saturation)},
    {"hue", "f4", offsetof(SamplePlan, hue)},
    {"cut_y", "f4", offsetof(SamplePlan, cut_y)},
    {"cut_x", "f4", offsetof(SamplePlan, cut_x)},
    {"cut_h", "f4", offsetof(SamplePlan, cut_h)},
    {"cut_w", "f4", offsetof(SamplePlan, cut_w)},
    {"orient", "u1", offsetof(SamplePlan, orient)},
};

// Part of a buffer of bytes. Buffers that come again are borrowed again: it costs little and needs no search.
Source read_part(const py::tuple& part, ImageSources& sources) {
    if (part.size() != 3) throw py::type_error("a source is a path or (buffer, offset, length)");
    const std::shared_ptr<Borrowed> lent = borrow(part[0], false);
    const auto offset = part[1].cast<std::int64_t>();
    const auto length = part[2].cast<std::int64_t>();
    const BufferView& view = lent->view();
    PERFMODEL_EXPECTS(view.contiguous(), "a source's buffer must be contiguous");
    const auto size = static_cast<std::int64_t>(view.nbytes());
    PERFMODEL_EXPECTS(offset >= 0 && length >= 0 && offset <= size && length <= size - offset,
                      "bytes " + std::to_string(offset) + " to " + std::to_string(offset + length) +
                          " lie outside of a buffer of " + std::to_string(size));
    sources.buffers.push_back(lent);
    Source source;
    source.bytes = {static_cast<const std::uint8_t*>(view.data) + offset, static_cast<std::size_t>(length)};
    return source;
}

Source read_path(py::handle path) {
    const auto encoded = py::reinterpret_steal<py::bytes>(PyUnicode_EncodeFSDefault(path.ptr()));
    if (!encoded) throw py::error_already_set();
    Source source;
    source.path = std::string(encoded);
    PERFMODEL_EXPECTS(!source.path.empty(), "a source's path is empty");
    PERFMODEL_EXPECTS(source.path.find('\0') == std::string::npos, "a source's path has a null character");
    return source;
}

void check_extent(std::int64_t extent) {
    PERFMODEL_EXPECTS(extent >= 1 && extent <= 65535, "out must have a height and width of 1 to 65535");
}

}  // namespace

ImageSources read_image_sources(const py::sequence& sources) {
    ImageSources result;
    result.list.reserve(sources.size());
    for (const py::handle source : sources) {
        if (py::isinstance<py::str>(source))
            result.list.push_back(read_path(source));
        else if (py::isinstance<py::tuple>(source))
            result.list.push_back(read_part(py::reinterpret_borrow<py::tuple>(source), result));
        else
            throw py::type_error("a source is a path or (buffer, offset, length), not '" +
                                 std::string(Py_TYPE(source.ptr())->tp_name) + "'");
    }
    return result;
}

py::object image_plan_dtype() {
    py::list fields;
    for (const PlanField& field : kPlanFields) fields.append(py::make_tuple(field.name, field.type));
    // "4u1" is four bytes under one name.
    py::object type = py::module_::import("numpy").attr("dtype")(fields);
    PERFMODEL_EXPECTS(type.attr("itemsize").cast<std::size_t>() == sizeof(SamplePlan),
                      "the type of plans does not have the layout that is wanted");
    return type;
}

py::buffer_info read_image_plan(const py::buffer& plan, std::size_t count) {
    PERFMODEL_EXPECTS(py::hasattr(plan, "dtype") && py::object(plan.attr("dtype")).equal(image_plan_dtype()),
                      "plan must be a NumPy array of plan_dtype()");
    py::buffer_info info = plan.request();
    PERFMODEL_EXPECTS(info.ndim == 1 && info.shape[0] == static_cast<py::ssize_t>(count),
                      "plan must have one record for each of " + std::to_string(count) + " sources");
    PERFMODEL_EXPECTS(count < 2 || info.strides[0] == static_cast<py::ssize_t>(sizeof(SamplePlan)),
                      "plan must be contiguous");
    return info;
}

Target read_image_target(const Borrowed& out, std::size_t count, const std::string& layout) {
    const BufferView& view = out.view();
    PERFMODEL_EXPECTS(layout == "nchw" || layout == "nhwc",
                      "layout must be nchw or nhwc, not '" + layout + "'");
    PERFMODEL_EXPECTS(view.shape.size() == 4 && view.contiguous(),
                      "out must be a contiguous array of four axes, not " + shape_text(view.shape));
    PERFMODEL_EXPECTS(view.shape[0] == static_cast<std::int64_t>(count),
                      "out must have a place for each of " + std::to_string(count) + " sources");
    Target target;
    target.channels_last = layout == "nhwc";
    const std::size_t first = target.channels_last ? 1 : 2;
    const std::int64_t channels = view.shape[target.channels_last ? 3 : 1];
    PERFMODEL_EXPECTS(channels == 1 || channels == 3,
                      "out must have 1 or 3 channels, not " + std::to_string(channels));
    check_extent(view.shape[first]);
    check_extent(view.shape[first + 1]);
    target.data = static_cast<std::byte*>(view.data);
    target.height = static_cast<int>(view.shape[first]);
    target.width = static_cast<int>(view.shape[first + 1]);
    target.channels = static_cast<int>(channels);
    target.type = view.type == ElementType::uint16 ? ElementType::bfloat16 : view.type;
    switch (target.type) {
        case ElementType::float32:
        case ElementType::float16:
        case ElementType::bfloat16:
        case ElementType::uint8:
            break;
        default:
            throw PreconditionError(
                std::string("out must be float32, float16, bfloat16 (as uint16) or uint8, not ") +
                element_name(view.type));
    }
    PERFMODEL_EXPECTS(reinterpret_cast<std::uintptr_t>(view.data) % element_size(target.type) == 0,
                      "out is not aligned");
    return target;
}

void read_normalisation(const py::sequence& mean, const py::sequence& std, Target& target) {
    const auto channels = static_cast<std::size_t>(target.channels);
    for (const auto& [values, out, name] :
         {std::tuple(&mean, target.mean, "mean"), std::tuple(&std, target.std, "std")}) {
        PERFMODEL_EXPECTS(
            values->size() >= channels || values->size() == 1,
            std::string(name) + " must have a value for each of " + std::to_string(channels) + " channels");
        for (std::size_t c = 0; c < channels; ++c)
            out[c] = (*values)[values->size() == 1 ? 0 : c].cast<float>();
    }
    for (std::size_t c = 0; c < channels; ++c) PERFMODEL_EXPECTS(target.std[c] > 0.0F, "std must be above 0");
}

}  // namespace perfmodel::bindings
