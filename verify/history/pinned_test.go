package history_test

import (
	"testing"

	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/since"
)

func TestPrecision(t *testing.T) {
	v := func(major, minor int) since.Release { return since.Release{Major: major, Minor: minor} }
	var trees []history.Tree
	for _, linux := range []since.Release{v(5, 10), v(5, 19), v(6, 0), v(6, 12), v(7, 0), v(7, 2), v(7, 3)} {
		trees = append(trees, history.Tree{Linux: linux})
	}
	for _, tt := range []struct {
		name string
		came since.Release
		want history.Precision
	}{
		{"one since before the oldest release", v(4, 3), history.Precision{Older: 1}},
		{"one since the oldest release", v(5, 10), history.Precision{Older: 1}},
		{"one that came between two", v(5, 14), history.Precision{Bracketed: 1}},
		{"one that came with the later of two", v(6, 12), history.Precision{Bracketed: 1}},
		{"one with the release before it at hand", v(7, 3), history.Precision{Pinned: 1}},
		{"one that came with a new major number", v(6, 0), history.Precision{Pinned: 1}},
		{"one that came with a new major number, two releases later", v(7, 0), history.Precision{Bracketed: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Oldest = v(5, 10)
			if got := history.PrecisionOf(trees, since.Symbols{"A": tt.came}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
