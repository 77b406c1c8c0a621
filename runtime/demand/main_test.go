package demand_test

import (
	"os"
	"testing"

	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

func TestMain(m *testing.M) {
	demand.PagerMain()
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or pager processes of the race detector's linger
	uffdtest.Main(m)
}
