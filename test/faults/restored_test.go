package faults_test

import (
	"os"
	"testing"
	"time"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// Fault: etcd is restored from a backup, so that every resourceVersion that the
// controller knows is of the future, and some of what it wrote is gone.
// Promise: without a restart it notices, and what is published is right again.
func TestEtcdRestoredFromABackup(t *testing.T) {
	w := newOwnWorld(t)
	w.seed(w.namespace, 3, 3)
	c := w.alone()
	w.converges(time.Minute)
	pid := c.Pid()

	backup := t.TempDir()
	w.withoutStorage(func(data string) error { return os.CopyFS(backup, os.DirFS(data)) })
	for range 20 {
		for s := range 3 {
			w.flip(w.namespace, workloadName(s, 0))
		}
	}
	if err := w.createWorkload(w.namespace, "after-the-backup", serviceName(0), "10.9.9.9"); err != nil {
		t.Fatal(err)
	}
	w.agrees(time.Minute, w.namespace)

	w.withoutStorage(func(data string) error {
		if err := os.RemoveAll(data); err != nil {
			return err
		}
		return os.CopyFS(data, os.DirFS(backup))
	})
	restored := time.Now()
	w.agrees(3*time.Minute, w.namespace)
	t.Logf("what is published agreed with what there was %s after the API server was back", time.Since(restored).Round(time.Millisecond))
	for s := range 3 {
		w.flip(w.namespace, workloadName(s, 1))
	}
	w.agrees(3*time.Minute, w.namespace)
	t.Logf("and followed new changes %s after it was back", time.Since(restored).Round(time.Millisecond))
	if !c.Running() || c.Pid() != pid {
		t.Error("the controller did not survive")
	}
}

// withoutStorage stops the API server and etcd, changes the folder of etcd's data,
// and starts both again.
func (w *world) withoutStorage(change func(data string) error) {
	w.Helper()
	// An API server that is asked to stop waits for its watches.
	if err := w.plane.Kill(controlplane.APIServer); err != nil {
		w.Fatal(err)
	}
	if err := w.plane.StopComponent(controlplane.Etcd); err != nil {
		w.Fatal(err)
	}
	if err := change(w.plane.Data()); err != nil {
		w.Fatal(err)
	}
	for _, component := range []controlplane.Component{controlplane.Etcd, controlplane.APIServer} {
		if err := w.plane.StartComponent(w.Context(), component); err != nil {
			w.Fatal(err)
		}
	}
}
