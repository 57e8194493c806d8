// Colours, planes and output values with AVX2.
#include "cpu/image/kernels.h"
#include "cpu/image/kernels_avx2.h"
#include "cpu/image/pixel_math.h"

#if defined(PERFMODEL_X86)

#include <immintrin.h>

namespace perfmodel::cpu::image::avx2 {

namespace {

struct Rgb16 {
    __m256i red;
    __m256i green;
    __m256i blue;
};

PERFMODEL_IMAGE_AVX2 inline __m256i load32(const void* at) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

PERFMODEL_IMAGE_AVX2 inline __m256i round_fraction(__m256i value) {
    return _mm256_srai_epi16(_mm256_adds_epi16(value, _mm256_set1_epi16(1 << (kFraction - 1))), kFraction);
}

PERFMODEL_IMAGE_AVX2 inline __m256i scaled(__m256i value, std::int16_t factor) {
    return _mm256_mulhrs_epi16(value, _mm256_set1_epi16(factor));
}

PERFMODEL_IMAGE_AVX2 inline Rgb16 convert16(const std::int16_t* y, const std::int16_t* cb,
                                            const std::int16_t* cr) {
    const __m256i centre = _mm256_set1_epi16(128 << kFraction);
    const __m256i light = load32(y);
    const __m256i b = _mm256_subs_epi16(load32(cb), centre);
    const __m256i r = _mm256_subs_epi16(load32(cr), centre);
    const __m256i red = _mm256_adds_epi16(_mm256_adds_epi16(light, r), scaled(r, kRedCr));
    const __m256i green =
        _mm256_subs_epi16(_mm256_subs_epi16(light, scaled(b, kGreenCb)), scaled(r, kGreenCr));
    const __m256i blue =
        _mm256_subs_epi16(_mm256_adds_epi16(_mm256_adds_epi16(light, b), b), scaled(b, kBlueCb));
    return {round_fraction(red), round_fraction(green), round_fraction(blue)};
}

PERFMODEL_IMAGE_AVX2 inline void store_bytes(std::uint8_t* out, __m256i first, __m256i second) {
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(first, second), 0xD8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), bytes);
}

}  // namespace

PERFMODEL_IMAGE_AVX2 void colour(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr,
                                 int width, std::uint8_t* red, std::uint8_t* green, std::uint8_t* blue) {
    for (int x = 0; x < width; x += kLanes) {
        const Rgb16 first = convert16(y + x, cb + x, cr + x);
        const Rgb16 second = convert16(y + x + 16, cb + x + 16, cr + x + 16);
        store_bytes(red + x, first.red, second.red);
        store_bytes(green + x, first.green, second.green);
        store_bytes(blue + x, first.blue, second.blue);
    }
}

namespace {

// Bytes of channel `c` of 16 pixels of three bytes, from the third `part` of their 48 bytes: the index to
// shuffle by, or -1.
constexpr char from_third(int part, int c, int i) {
    const int at = 3 * i + c - 16 * part;
    return static_cast<char>(at >= 0 && at < 16 ? at : -1);
}

// Bytes of the third `part` of 48 bytes, from channel `c`.
constexpr char to_third(int part, int c, int i) {
    const int at = 16 * part + i;
    return static_cast<char>(at % 3 == c ? at / 3 : -1);
}

struct Shuffles {
    alignas(16) char split[3][3][16] = {};  // by channel, by third
    alignas(16) char join[3][3][16] = {};   // by third, by channel
    constexpr Shuffles() {
        for (int a = 0; a < 3; ++a)
            for (int b = 0; b < 3; ++b)
                for (int i = 0; i < 16; ++i) {
                    split[a][b][i] = from_third(b, a, i);
                    join[a][b][i] = to_third(a, b, i);
                }
    }
};

constexpr Shuffles kShuffles;

PERFMODEL_IMAGE_AVX2 inline __m128i load16(const void* at) {
    return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

PERFMODEL_IMAGE_AVX2 inline __m128i mix3(const __m128i* from, const char (*shuffles)[16]) {
    return _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(from[0], load16(shuffles[0])),
                                     _mm_shuffle_epi8(from[1], load16(shuffles[1]))),
                        _mm_shuffle_epi8(from[2], load16(shuffles[2])));
}

}  // namespace

PERFMODEL_IMAGE_AVX2 void split3(const std::uint8_t* pixels, int count, std::uint8_t* const* planes) {
    for (int i = 0; i < count; i += 16) {
        const std::uint8_t* at = pixels + 3 * static_cast<std::ptrdiff_t>(i);
        const __m128i from[3] = {load16(at), load16(at + 16), load16(at + 32)};
        for (int c = 0; c < 3; ++c)
            _mm_storeu_si128(reinterpret_cast<__m128i*>(planes[c] + i), mix3(from, kShuffles.split[c]));
    }
}

PERFMODEL_IMAGE_AVX2 void split4(const std::uint8_t* pixels, int count, std::uint8_t* const* planes) {
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (int i = 0; i < count; i += 16) {
        const std::uint8_t* at = pixels + 4 * static_cast<std::ptrdiff_t>(i);
        __m128i v[4];
        for (int k = 0; k < 4; ++k) v[k] = _mm_shuffle_epi8(load16(at + 16 * k), order);
        const __m128i low01 = _mm_unpacklo_epi32(v[0], v[1]);  // red, red, green, green
        const __m128i low23 = _mm_unpacklo_epi32(v[2], v[3]);
        const __m128i high01 = _mm_unpackhi_epi32(v[0], v[1]);
        const __m128i high23 = _mm_unpackhi_epi32(v[2], v[3]);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(planes[0] + i), _mm_unpacklo_epi64(low01, low23));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(planes[1] + i), _mm_unpackhi_epi64(low01, low23));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(planes[2] + i), _mm_unpacklo_epi64(high01, high23));
    }
}

PERFMODEL_IMAGE_AVX2 void join3(const std::uint8_t* const* planes, int count, std::uint8_t* pixels) {
    int i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m128i from[3] = {load16(planes[0] + i), load16(planes[1] + i), load16(planes[2] + i)};
        auto* at = reinterpret_cast<__m128i*>(pixels + 3 * static_cast<std::ptrdiff_t>(i));
        for (int part = 0; part < 3; ++part) _mm_storeu_si128(at + part, mix3(from, kShuffles.join[part]));
    }
    for (; i < count; ++i)
        for (int c = 0; c < 3; ++c) pixels[3 * static_cast<std::ptrdiff_t>(i) + c] = planes[c][i];
}

namespace {

// Eight bytes to eight normalised values.
PERFMODEL_IMAGE_AVX2 inline __m256 normalise8(const std::uint8_t* in, const float* scale,
                                              const float* shift) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(in));
    const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    return _mm256_add_ps(_mm256_mul_ps(values, _mm256_loadu_ps(scale)), _mm256_loadu_ps(shift));
}

float normalise(std::uint8_t value, float scale, float shift) {
    const float product = static_cast<float>(value) * scale;
    return product + shift;
}

PERFMODEL_IMAGE_AVX2 inline __m256i round_bfloat(__m256 values) {
    const __m256i bits = _mm256_castps_si256(values);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    return _mm256_srli_epi32(rounded, 16);
}

}  // namespace

PERFMODEL_IMAGE_AVX2 void write_float(const std::uint8_t* in, int count, const float* scale,
                                      const float* shift, float* out) {
    int i = 0;
    for (; i + kPattern <= count; i += kPattern)
        for (int k = 0; k < kPattern; k += 8)
            _mm256_storeu_ps(out + i + k, normalise8(in + i + k, scale + k, shift + k));
    for (int k = 0; i < count; ++i, ++k) out[i] = normalise(in[i], scale[k], shift[k]);
}

PERFMODEL_IMAGE_AVX2 void write_half(const std::uint8_t* in, int count, const float* scale,
                                     const float* shift, std::uint16_t* out) {
    int i = 0;
    for (; i + kPattern <= count; i += kPattern)
        for (int k = 0; k < kPattern; k += 8)
            _mm_storeu_si128(
                reinterpret_cast<__m128i*>(out + i + k),
                _mm256_cvtps_ph(normalise8(in + i + k, scale + k, shift + k), _MM_FROUND_TO_NEAREST_INT));
    for (int k = 0; i < count; ++i, ++k) out[i] = half_bits(normalise(in[i], scale[k], shift[k]));
}

PERFMODEL_IMAGE_AVX2 void write_bfloat(const std::uint8_t* in, int count, const float* scale,
                                       const float* shift, std::uint16_t* out) {
    int i = 0;
    for (; i + kPattern <= count; i += kPattern)
        for (int k = 0; k < kPattern; k += 16) {
            const __m256i first = round_bfloat(normalise8(in + i + k, scale + k, shift + k));
            const __m256i second = round_bfloat(normalise8(in + i + k + 8, scale + k + 8, shift + k + 8));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i + k),
                                _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), 0xD8));
        }
    for (int k = 0; i < count; ++i, ++k) out[i] = bfloat_bits(normalise(in[i], scale[k], shift[k]));
}

}  // namespace perfmodel::cpu::image::avx2

#endif  // PERFMODEL_X86
