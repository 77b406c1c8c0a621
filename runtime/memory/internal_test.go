package memory

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestHugeFlag(t *testing.T) {
	for size, want := range map[int]int{
		64 << 10: unix.MAP_HUGE_64KB,
		2 << 20:  unix.MAP_HUGE_2MB,
		32 << 20: unix.MAP_HUGE_32MB,
		1 << 30:  unix.MAP_HUGE_1GB,
	} {
		if got := hugeFlag(size); got != want {
			t.Errorf("%d: %#x, want %#x", size, got, want)
		}
	}
}
