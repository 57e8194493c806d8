#include "cpu/image/jpeg_state.h"

namespace perfmodel::cpu::image {

namespace {

constexpr int kMostScans = 500;  // a progressive image has about ten; more only make work

JpegDecoder::State& state_of(j_common_ptr info) {
    return *static_cast<JpegDecoder::State*>(info->client_data);
}

Status classify(int code) {
    switch (code) {
        case JERR_OUT_OF_MEMORY:
            return Status::no_memory;
        case JERR_IMAGE_TOO_BIG:
        case JERR_WIDTH_OVERFLOW:
            return Status::too_large;
        case JERR_SOF_UNSUPPORTED:
        case JERR_BAD_PRECISION:
        case JERR_CONVERSION_NOTIMPL:
        case JERR_FRACT_SAMPLE_NOTIMPL:
        case JERR_CCIR601_NOTIMPL:
        case JERR_ARITH_NOTIMPL:
        case JERR_NOTIMPL:
        case JERR_NOT_COMPILED:
            return Status::unknown;
        default:
            return Status::corrupt;
    }
}

[[noreturn]] void leave(j_common_ptr info, Status status) {
    JpegDecoder::State& state = state_of(info);
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    state.outcome = failure(status, "%s", text);
    std::longjmp(state.jump, 1);
}

[[noreturn]] void on_error(j_common_ptr info) {
    leave(info, classify(info->err->msg_code));
}

// Warnings after which libjpeg makes pixels up are errors here.
void on_message(j_common_ptr info, int level) {
    if (level >= 0) return;
    switch (info->err->msg_code) {
        case JWRN_ARITH_BAD_CODE:
        case JWRN_HIT_MARKER:
        case JWRN_HUFF_BAD_CODE:
        case JWRN_JPEG_EOF:
        case JWRN_MUST_RESYNC:
            leave(info, Status::corrupt);
        default:
            break;
    }
}

void on_output(j_common_ptr) {}

void on_progress(j_common_ptr info) {
    if (!info->is_decompressor) return;
    const auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
    if (decoder->input_scan_number <= kMostScans) return;
    JpegDecoder::State& state = state_of(info);
    state.outcome = failure(Status::corrupt, "more than %d scans", kMostScans);
    std::longjmp(state.jump, 1);
}

}  // namespace

bool create_jpeg(JpegDecoder::State& state) {
    state.info.err = jpeg_std_error(&state.errors);
    state.errors.error_exit = on_error;
    state.errors.emit_message = on_message;
    state.errors.output_message = on_output;
    state.info.client_data = &state;
    state.created = guarded(state, [&state] { jpeg_create_decompress(&state.info); });
    if (!state.created) return false;
    state.progress.progress_monitor = on_progress;
    state.info.progress = &state.progress;
    return true;
}

}  // namespace perfmodel::cpu::image
