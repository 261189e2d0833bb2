package controlplane

import (
	"context"
	"errors"
	"os"
	"testing"
)

// ForTest starts a control plane that ends with the test, after later cleanup functions of the
// test. Its folder is among the test's artifacts, so that go test -artifacts keeps the logs. A
// package whose tests share one control plane calls Start in TestMain. The test is skipped if
// this version of Kubernetes lacks a component.
func ForTest(t testing.TB, options Options) *ControlPlane {
	t.Helper()
	if options.Directory == "" {
		directory, err := os.MkdirTemp(t.ArtifactDir(), "control-plane-")
		if err != nil {
			t.Fatal(err)
		}
		options.Directory = directory
	}
	// The test's context ends before its cleanup, which may need the API server.
	c, err := Start(context.WithoutCancel(t.Context()), options)
	if errors.Is(err, ErrMissing) {
		t.Skipf("left out: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}
