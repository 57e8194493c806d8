#include "cpu/image/jpeg.h"

#include <cstring>

#include "cpu/image/baseline.h"
#include "cpu/image/jpeg_state.h"

namespace perfmodel::cpu::image {

namespace {

constexpr std::uint8_t kEndOfImage = 0xD9;

// How a component lies along one axis, but for the kind of upsampling. False where pixels per sample are no
// whole number, which libjpeg cannot upsample either.
bool find_sampling(int pixels, int factor, int most, Sampling& sampling) {
    if (factor <= 0 || most % factor != 0) return false;
    sampling.expand = most / factor;
    sampling.samples = (pixels + sampling.expand - 1) / sampling.expand;
    sampling.triangle = false;
    return true;
}

// Where libjpeg upsamples by triangles ("fancy", jdsample.c); elsewhere it repeats samples.
void choose_triangles(PlaneSampling& plane) {
    const bool wide = plane.x.expand == 2 && plane.y.expand <= 2 && plane.x.samples > 2;
    plane.x.triangle = wide;
    plane.y.triangle = plane.y.expand == 2 && (wide || plane.x.expand == 1);
}

bool find_samplings(const jpeg_decompress_struct& info, PlaneSampling* planes) {
    for (int c = 0; c < info.num_components; ++c) {
        const jpeg_component_info& component = info.comp_info[c];
        const bool grey = info.num_components == 1;
        const int most_h = grey ? component.h_samp_factor : info.max_h_samp_factor;
        const int most_v = grey ? component.v_samp_factor : info.max_v_samp_factor;
        PlaneSampling& plane = planes[c];
        if (!find_sampling(static_cast<int>(info.image_width), component.h_samp_factor, most_h, plane.x) ||
            !find_sampling(static_cast<int>(info.image_height), component.v_samp_factor, most_v, plane.y))
            return false;
        choose_triangles(plane);
    }
    return true;
}

Outcome check_kind(const jpeg_decompress_struct& info) {
    const J_COLOR_SPACE space = info.jpeg_color_space;
    const bool known = (info.num_components == 1 && space == JCS_GRAYSCALE) ||
                       (info.num_components == 3 && (space == JCS_YCbCr || space == JCS_RGB)) ||
                       (info.num_components == 4 && (space == JCS_CMYK || space == JCS_YCCK));
    if (!known)
        return failure(Status::unknown, "JPEG with %d components of an unknown kind", info.num_components);
    PlaneSampling planes[MAX_COMPONENTS];
    if (info.num_components < 4 && !find_samplings(info, planes))
        return failure(Status::unknown, "JPEG whose components have sizes of no whole ratio");
    return {};
}

}  // namespace

JpegDecoder::JpegDecoder(const Kernels& kernels)
    : state_(std::make_unique<State>()), baseline_(std::make_unique<BaselineDecoder>(kernels)) {
    std::memset(&state_->info, 0, sizeof state_->info);
    std::memset(&state_->progress, 0, sizeof state_->progress);
    if (!create_jpeg(*state_)) throw std::bad_alloc();
}

JpegDecoder::~JpegDecoder() {
    if (state_->created) jpeg_destroy_decompress(&state_->info);
}

Outcome JpegDecoder::open(Encoded encoded, ImageHeader& header) {
    State& state = *state_;
    close(SIZE_MAX);
    const bool read = guarded(state, [&state, encoded] {
        jpeg_mem_src(&state.info, encoded.data, static_cast<unsigned long>(encoded.size));
        state.open = true;
        jpeg_read_header(&state.info, TRUE);
    });
    if (!read) return state.outcome;
    header.width = static_cast<int>(state.info.image_width);
    header.height = static_cast<int>(state.info.image_height);
    header.channels = state.info.num_components;
    return check_kind(state.info);
}

int JpegDecoder::planes(PlaneSampling* sampling, Colours& colours) const {
    const jpeg_decompress_struct& info = state_->info;
    colours = info.jpeg_color_space == JCS_YCbCr ? Colours::ycc : Colours::bytes;
    if (info.num_components == 4) {
        for (int p = 0; p < kMostPlanes; ++p) {
            sampling[p].x = {static_cast<int>(info.image_width), 1, false};
            sampling[p].y = {static_cast<int>(info.image_height), 1, false};
        }
        return kMostPlanes;
    }
    PlaneSampling found[MAX_COMPONENTS];
    find_samplings(info, found);
    for (int p = 0; p < info.num_components; ++p) sampling[p] = found[p];
    return info.num_components;
}

Outcome JpegDecoder::decode(const DecodeContext& context) {
    State& state = *state_;
    if (state.info.num_components != 4) {
        switch (baseline_->decode(state.info, context)) {
            case BaselineDecoder::Result::done:
                return {};
            case BaselineDecoder::Result::cancelled:
                return cancelled_outcome();
            case BaselineDecoder::Result::left:
                context.resampler.flush();
        }
    }
    const Outcome outcome = state.info.num_components == 4 ? decode_jpeg_cmyk(state, context)
                                                           : decode_jpeg_planes(state, context);
    return outcome.ok() ? check_jpeg_end(state) : outcome;
}

Outcome JpegDecoder::decode_rgb() {
    return decode_jpeg_rgb(*state_);
}

void JpegDecoder::close(std::size_t most) {
    State& state = *state_;
    baseline_->trim(most);
    if (state.rows.bytes() > most) state.rows.release();
    if (!state.open) return;
    state.open = false;
    guarded(state, [&state] { jpeg_abort_decompress(&state.info); });
}

Outcome check_jpeg_end(JpegDecoder::State& state) {
    if (jpeg_input_complete(&state.info) || state.info.unread_marker == kEndOfImage) return {};
    const jpeg_source_mgr& source = *state.info.src;
    const std::uint8_t* begin = source.next_input_byte;
    const std::uint8_t* end = begin + source.bytes_in_buffer;
    while (end - begin >= 2) {
        const void* found = memrchr(begin + 1, kEndOfImage, static_cast<std::size_t>(end - begin - 1));
        if (found == nullptr) break;
        end = static_cast<const std::uint8_t*>(found);
        if (end[-1] == 0xFF) return {};
    }
    return failure(Status::corrupt, "the file is truncated: the end of the image is missing");
}

}  // namespace perfmodel::cpu::image
