package demand_test

import (
	"testing"

	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

func TestMain(m *testing.M) { uffdtest.Main(m) }
