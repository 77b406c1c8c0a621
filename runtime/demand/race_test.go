//go:build race

package demand_test

// raced is whether the race detector looks at each access first.
const raced = true
