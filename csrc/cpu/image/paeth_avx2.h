// PNG's Paeth filter undone for eight rows at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace perfmodel::cpu::image::avx2 {

constexpr int kPaethRows = 8;

// Undoes the filter of eight rows of pixels of `step` bytes (3 or 4) that lie bytes + 1 apart; `above` are
// the pixels of the row above the first.
void undo_eight_paeth(std::uint8_t* first, std::size_t bytes, int step, const std::uint8_t* above);

}  // namespace perfmodel::cpu::image::avx2
