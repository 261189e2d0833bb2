package integration

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// shared is the control plane of all tests that do not change it, each in its own namespace.
// It has our CRD. Some of these tests count its requests, so none of them may run in
// parallel.
var shared struct {
	once  sync.Once
	plane *controlplane.ControlPlane
	err   error
}

// sharedPlane returns the shared control plane, and starts it on the first call.
func sharedPlane(t testing.TB) *controlplane.ControlPlane {
	t.Helper()
	shared.once.Do(func() {
		ctx := context.WithoutCancel(t.Context())
		if shared.plane, shared.err = controlplane.Start(ctx, controlplane.Options{}); shared.err != nil {
			return
		}
		shared.err = controlplane.InstallChartCRD(ctx, shared.plane.AdminConfig())
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.plane
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.plane != nil {
		if err := shared.plane.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the shared control plane:", err)
			code = 1
		}
	}
	os.Exit(code)
}
