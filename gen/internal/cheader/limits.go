package cheader

import "time"

// What a header may ask of the parser. All of them are far beyond any header
// that a person wrote.
const (
	maxFileSize   = 16 << 20 // bytes
	maxNesting    = 200      // brackets; the parser recurses, and Go cannot recover from a stack overflow
	maxIncluded   = 1000     // how often a header may be included
	maxExpansion  = 4 << 20  // tokens that macros become, on the way too
	parseDeadline = 30 * time.Second

	expansionPerByte = 16 // tokens more for each byte of the header itself
)
