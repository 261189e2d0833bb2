package integration

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// shared is the control plane that tests share which do not change it, each in
// its own namespace. It has our definition of ExternalWorkloads. Some of them
// count its requests, so none of them may run in parallel with others.
var shared struct {
	once  sync.Once
	plane *controlplane.ControlPlane
	err   error
}

// sharedPlane starts the shared control plane if no test has done so.
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
