#include "bindings/preprocess_arguments.h"

#include "bindings/image_arguments.h"
#include "common/error.h"

namespace py = pybind11;

namespace perfmodel::bindings {

namespace {

preprocess::ImageSize read_size(const BufferView& view, const std::string& name) {
    if (view.type != ElementType::uint8)
        throw ElementTypeError(name + " must have elements of uint8, not " + element_name(view.type));
    PERFMODEL_EXPECTS(view.shape.size() == 2 || view.shape.size() == 3,
                      name + " must be (height, width, channels), not " + shape_text(view.shape));
    PERFMODEL_EXPECTS(view.contiguous(), name + " must be contiguous");
    const std::int64_t planes = view.shape.size() == 3 ? view.shape[2] : 1;
    PERFMODEL_EXPECTS(planes == 1 || planes == 3,
                      name + " has " + std::to_string(planes) + " channels; 1 and 3 are possible");
    PERFMODEL_EXPECTS(
        view.shape[0] >= 1 && view.shape[1] >= 1 && view.shape[0] <= 1 << 24 && view.shape[1] <= 1 << 24,
        name + " has no pixels, or too many");
    return {static_cast<int>(view.shape[0]), static_cast<int>(view.shape[1]), static_cast<int>(planes)};
}

ElementType read_type(const std::string& name) {
    for (const ElementType type :
         {ElementType::float32, ElementType::float16, ElementType::bfloat16, ElementType::uint8})
        if (name == element_name(type)) return type;
    throw PreconditionError("dtype must be float32, float16, bfloat16 or uint8, not '" + name + "'");
}

}  // namespace

HostImages read_host_images(const py::sequence& images) {
    HostImages result;
    for (const py::handle image : images) {
        result.buffers.push_back(borrow(image, false));
        result.sizes.push_back(
            read_size(result.buffers.back()->view(), "image " + std::to_string(result.sizes.size())));
    }
    return result;
}

cpu::image::Target read_output(const OutputArguments& arguments) {
    cpu::image::Target target;
    PERFMODEL_EXPECTS(arguments.layout == "nchw" || arguments.layout == "nhwc",
                      "layout must be nchw or nhwc, not '" + arguments.layout + "'");
    PERFMODEL_EXPECTS(arguments.channels == 1 || arguments.channels == 3,
                      "channels must be 1 or 3, not " + std::to_string(arguments.channels));
    PERFMODEL_EXPECTS(arguments.size.size() == 2, "size must be (height, width)");
    PERFMODEL_EXPECTS(arguments.filter >= 0 && arguments.filter < cpu::image::kFilters,
                      "filter must be 0 to 4, not " + std::to_string(arguments.filter));
    target.height = arguments.size[0].cast<int>();
    target.width = arguments.size[1].cast<int>();
    for (const int extent : {target.height, target.width})
        PERFMODEL_EXPECTS(extent >= 1 && extent <= 65535, "height and width must be 1 to 65535");
    target.channels = arguments.channels;
    target.channels_last = arguments.layout == "nhwc";
    target.type = read_type(arguments.type);
    target.filter = static_cast<cpu::image::Filter>(arguments.filter);
    target.cut_fill = arguments.cut_fill;
    read_normalisation(arguments.mean, arguments.std, target);
    return target;
}

std::vector<std::int64_t> output_shape(const cpu::image::Target& target, std::size_t count) {
    const auto n = static_cast<std::int64_t>(count);
    if (target.channels_last) return {n, target.height, target.width, target.channels};
    return {n, target.channels, target.height, target.width};
}

}  // namespace perfmodel::bindings
