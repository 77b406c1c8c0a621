package bindings_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/zuffd/uffd/verify/bindings"
)

func TestCompiledHasEveryStructOfTheFiles(t *testing.T) {
	var want []string
	for _, stem := range []string{"zuffd", "zpagemap"} {
		p, err := bindings.Load("../../"+stem+"_linux_"+runtime.GOARCH+".go", runtime.GOARCH)
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
