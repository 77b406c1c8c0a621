package bindings_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/zuffd/uffd/verify/bindings"
)

func TestCompiledHasEveryStructOfTheFiles(t *testing.T) {
	var want []string
	for _, source := range bindings.Sources {
		p, err := bindings.Load("../../"+source.File(runtime.GOARCH), runtime.GOARCH)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, p.Structs()...)
	}
	slices.Sort(want)
	if got := bindings.Compiled().Structs(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
