package main

import (
	"strings"
	"testing"
)

func TestKernelsHaveMachinesAndNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range debians() {
		if machines[k.Arch].qemu == "" {
			t.Errorf("%s: no machine", k.name())
		}
		if seen[k.name()] {
			t.Errorf("%s is there twice", k.name())
		}
		seen[k.name()] = true
	}
}

func TestChoose(t *testing.T) {
	for list, want := range map[string]string{
		"amd64/6.12":            "amd64/6.12",
		"arm64/6.12*":           "arm64/6.12 arm64/6.12-16k",
		"*/7.3":                 "amd64/7.3 arm64/7.3",
		"arm64/7.3,amd64/5.10":  "amd64/5.10 arm64/7.3",
		"ppc64le/*,*/recent":    "riscv64/recent s390x/recent ppc64le/recent ppc64le/recent-64k",
		"amd64/6.11":            "",
		"amd64/6.12,amd64/6.11": "",
		"[":                     "",
		"":                      "",
	} {
		t.Run(list, func(t *testing.T) {
			chosen, err := choose(debians(), list)
			var names []string
			for _, k := range chosen {
				names = append(names, k.name())
			}
			if got := strings.Join(names, " "); got != want || (err != nil) != (want == "") {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}
