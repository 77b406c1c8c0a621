package cheader

import (
	"fmt"
	"time"
)

// What a header may ask of the parser. All of them are far beyond any header
// that a person wrote.
const (
	maxFileSize   = 1 << 20  // bytes
	maxNesting    = 200      // brackets; the parser recurses, and Go cannot recover from a stack overflow
	maxExpansion  = 20 << 20 // tokens; see cc.Config.ExpansionLimit
	parseDeadline = 5 * time.Second
)

// checkNesting refuses a file that is too long or whose brackets nest too
// deep. Brackets in comments and strings count as well, and an unbalanced
// closing one counts for nothing: the limit need not be exact.
func checkNesting(name string, content []byte) error {
	if len(content) > maxFileSize {
		return fmt.Errorf("%s: the file has %d bytes, of which at most %d are read", name, len(content), maxFileSize)
	}
	depth, line := 0, 1
	for _, c := range content {
		switch c {
		case '\n':
			line++
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
		if depth > maxNesting {
			return fmt.Errorf("%s:%d: more than %d levels of brackets", name, line, maxNesting)
		}
	}
	return nil
}
