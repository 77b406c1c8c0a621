package demand

// Stats counts what a mapping has done since [Map].
type Stats struct {
	Resident  int64 // bytes in memory now, in whole chunks
	Reads     int64 // calls of the source's ReadAt
	ReadBytes int64 // bytes that they returned
	Misses    int64 // how often a page was wanted that was not there; a view starts again each time
	Evictions int64 // chunks that were taken away for others
}

// Stats returns the counts so far. It may be called after Close.
func (m *Mapping) Stats() Stats {
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	return Stats{
		Resident:  m.resident,
		Reads:     m.reads.Load(),
		ReadBytes: m.readBytes.Load(),
		Misses:    m.misses.Load(),
		Evictions: m.evictions.Load(),
	}
}
