// Package examples is package demand in use, with libraries that the module of
// package demand does without: the examples are its tests.
package examples
