package main

import (
	"os"
	"testing"

	"github.com/zuffd/uffd/verify/arch"
)

func TestTheGeneratorKnowsWhatCompilersDefine(t *testing.T) {
	for _, c := range arch.All {
		if err := c.Missing(); err != nil {
			t.Skip(err)
		}
	}
	want, err := file()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not what the compilers say; go run ./verify/predefined writes it anew", path)
	}
}
