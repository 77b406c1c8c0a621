package claim

// An Answer is what one oracle said of one set of values.
type Answer struct {
	Kind    string   // of oracle
	Oracle  string   // who was asked
	Sources []string // whose word it is; none for the oracle's own
	About   string   // what was held against it
	Verdict
	Note    string
	Unasked error  // why the oracle could not be asked
	Absent  string // why there is no such oracle here, and need not be
}
