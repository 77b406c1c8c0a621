//go:build !race

package demand_test

const raced = false
