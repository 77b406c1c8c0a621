package history

import (
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/linux"
)

func TestPrecision(t *testing.T) {
	var trees []Tree
	for _, release := range strings.Fields("5.10 5.19 6.0 6.12 7.0 7.2 7.3") {
		linux, err := linux.Parse(release)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, Tree{Linux: linux})
	}
	for came, want := range map[string]string{
		"4.3":  "0 are pinned to a release, 0 bracketed by two, 1 only known to be at most 5.10",
		"5.10": "0 are pinned to a release, 0 bracketed by two, 1 only known to be at most 5.10",
		"5.14": "0 are pinned to a release, 1 bracketed by two, 0 only known",
		"6.12": "0 are pinned to a release, 1 bracketed by two, 0 only known",
		"7.3":  "1 are pinned to a release, 0 bracketed by two, 0 only known",
		"6.0":  "1 are pinned to a release, 0 bracketed by two, 0 only known", // 5.19 was the last of 5
		"7.0":  "0 are pinned to a release, 1 bracketed by two, 0 only known", // there are releases between 6.12 and it
	} {
		c := &claim.Claim{Model: &abi.Model{Constants: []abi.Constant{{Name: "A", Since: came}}}}
		if got := precision(trees, []*claim.Claim{c}); !strings.Contains(got, want) {
			t.Errorf("since %s: %s, want %s", came, got, want)
		}
	}
}
