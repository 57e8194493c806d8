// The inverse cosine transform of JPEG with AVX2: the algorithm of Loeffler, Ligtenberg and Moschytz (ICASSP
// 1989) with the constants, the order and the roundings of libjpeg's jidctint.c, so that the result is the
// same. Two blocks go side by side, one in each half of the vectors.
#include "cpu/image/kernels_avx2.h"

#if defined(PERFMODEL_X86)

#include <immintrin.h>

namespace perfmodel::cpu::image::avx2 {

namespace {

constexpr int kConstantBits = 13;
constexpr int kPassBits = 2;

// Constants of jidctint.c in units of 2^-13.
constexpr int k0_298 = 2446;
constexpr int k0_390 = 3196;
constexpr int k0_541 = 4433;
constexpr int k0_765 = 6270;
constexpr int k0_899 = 7373;
constexpr int k1_175 = 9633;
constexpr int k1_501 = 12299;
constexpr int k1_847 = 15137;
constexpr int k1_961 = 16069;
constexpr int k2_053 = 16819;
constexpr int k2_562 = 20995;
constexpr int k3_072 = 25172;

PERFMODEL_IMAGE_AVX2 inline __m256i factors(int first, int second) {
    return _mm256_set1_epi32(
        static_cast<int>(static_cast<unsigned>(first & 0xFFFF) | static_cast<unsigned>(second) << 16));
}

// 32-bit sums of products of two vectors: first * a + second * b, in the lower and the upper half of each
// lane.
struct Wide {
    __m256i low;
    __m256i high;
};

PERFMODEL_IMAGE_AVX2 inline Wide combine(__m256i first, __m256i second, int a, int b) {
    return {_mm256_madd_epi16(_mm256_unpacklo_epi16(first, second), factors(a, b)),
            _mm256_madd_epi16(_mm256_unpackhi_epi16(first, second), factors(a, b))};
}

PERFMODEL_IMAGE_AVX2 inline Wide add(Wide a, Wide b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}

PERFMODEL_IMAGE_AVX2 inline Wide subtract(Wide a, Wide b) {
    return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
}

// A 16-bit value times 2^13.
PERFMODEL_IMAGE_AVX2 inline Wide widen(__m256i value) {
    const __m256i zero = _mm256_setzero_si256();
    return {_mm256_srai_epi32(_mm256_unpacklo_epi16(zero, value), 16 - kConstantBits),
            _mm256_srai_epi32(_mm256_unpackhi_epi16(zero, value), 16 - kConstantBits)};
}

template <int shift>
PERFMODEL_IMAGE_AVX2 inline __m256i narrow(Wide value) {
    const __m256i half = _mm256_set1_epi32(1 << (shift - 1));
    return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(value.low, half), shift),
                              _mm256_srai_epi32(_mm256_add_epi32(value.high, half), shift));
}

// One pass over columns; v are the eight rows.
template <int shift>
PERFMODEL_IMAGE_AVX2 inline void transform(__m256i* v) {
    const Wide even2 = combine(v[2], v[6], k0_541, k0_541 - k1_847);
    const Wide even3 = combine(v[2], v[6], k0_541 + k0_765, k0_541);
    const Wide even0 = widen(_mm256_add_epi16(v[0], v[4]));
    const Wide even1 = widen(_mm256_sub_epi16(v[0], v[4]));
    const Wide top[4] = {add(even0, even3), add(even1, even2), subtract(even1, even2),
                         subtract(even0, even3)};
    const __m256i z3 = _mm256_add_epi16(v[7], v[3]);
    const __m256i z4 = _mm256_add_epi16(v[5], v[1]);
    const Wide odd3 = combine(z3, z4, k1_175 - k1_961, k1_175);
    const Wide odd4 = combine(z3, z4, k1_175, k1_175 - k0_390);
    const Wide bottom[4] = {
        add(combine(v[1], v[7], k1_501 - k0_899, -k0_899), odd4),
        add(combine(v[3], v[5], k3_072 - k2_562, -k2_562), odd3),
        add(combine(v[5], v[3], k2_053 - k2_562, -k2_562), odd4),
        add(combine(v[7], v[1], k0_298 - k0_899, -k0_899), odd3),
    };
    for (int i = 0; i < 4; ++i) {
        v[i] = narrow<shift>(add(top[i], bottom[i]));
        v[7 - i] = narrow<shift>(subtract(top[i], bottom[i]));
    }
}

PERFMODEL_IMAGE_AVX2 inline void transpose(__m256i* v) {
    __m256i a[8];
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = _mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]);
    }
    __m256i b[8];
    for (int half = 0; half < 2; ++half) {
        const __m256i* from = a + 4 * half;
        b[4 * half] = _mm256_unpacklo_epi32(from[0], from[2]);
        b[4 * half + 1] = _mm256_unpackhi_epi32(from[0], from[2]);
        b[4 * half + 2] = _mm256_unpacklo_epi32(from[1], from[3]);
        b[4 * half + 3] = _mm256_unpackhi_epi32(from[1], from[3]);
    }
    for (int i = 0; i < 4; ++i) {
        v[2 * i] = _mm256_unpacklo_epi64(b[i], b[4 + i]);
        v[2 * i + 1] = _mm256_unpackhi_epi64(b[i], b[4 + i]);
    }
}

// The same row of two blocks.
PERFMODEL_IMAGE_AVX2 inline __m256i load_both(const void* first, const void* second) {
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(first))),
        _mm_loadu_si128(static_cast<const __m128i*>(second)), 1);
}

}  // namespace

PERFMODEL_IMAGE_AVX2 void inverse_cosine(const std::int16_t* const* blocks, const std::uint16_t* const* steps,
                                         std::uint8_t* const* out, const std::ptrdiff_t* strides) {
    __m256i v[8];
    for (int i = 0; i < 8; ++i)
        v[i] = _mm256_mullo_epi16(load_both(blocks[0] + 8 * i, blocks[1] + 8 * i),
                                  load_both(steps[0] + 8 * i, steps[1] + 8 * i));
    transform<kConstantBits - kPassBits>(v);
    transpose(v);
    transform<kConstantBits + kPassBits + 3>(v);
    transpose(v);
    const __m256i centre = _mm256_set1_epi8(-128);
    for (int i = 0; i < 8; i += 2) {
        const __m256i rows = _mm256_sub_epi8(_mm256_packs_epi16(v[i], v[i + 1]), centre);
        for (int block = 0; block < 2; ++block) {
            const __m128i both =
                block == 0 ? _mm256_castsi256_si128(rows) : _mm256_extracti128_si256(rows, 1);
            const std::ptrdiff_t stride = strides[block];
            std::uint8_t* at = out[block] + i * stride;
            _mm_storel_epi64(reinterpret_cast<__m128i*>(at), both);
            _mm_storel_epi64(reinterpret_cast<__m128i*>(at + stride), _mm_unpackhi_epi64(both, both));
        }
    }
}

}  // namespace perfmodel::cpu::image::avx2

#endif  // PERFMODEL_X86
