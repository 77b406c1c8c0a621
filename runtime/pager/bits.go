package pager

import "math/bits"

// wordMask covers the pages from to to of one word, two bits each; to may be
// the first page of the next word.
func wordMask(from, to int) uint64 {
	low, n := from%pagesPerWord*2, (to-from)*2
	if n == 64 {
		return ^uint64(0)
	}
	return (1<<n - 1) << low
}

// spread returns a word of pages in one state.
func spread(s PageState) uint64 { return uint64(s) * 0x5555555555555555 }

// equalPages returns how many pages of a mask have no bit set in diff.
func equalPages(diff, mask uint64) int {
	const low = 0x5555555555555555
	return bits.OnesCount64(^(diff | diff>>1) & low & mask)
}

// trailingPages returns how many pages come before the first set bit.
func trailingPages(word uint64) int { return bits.TrailingZeros64(word) / 2 }
