package faults_test

import (
	"os"
	"testing"
	"time"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// Fault: etcd is restored from a backup, so the controller knows only later
// resourceVersions, and some of its writes are lost.
// Promise: the controller detects this without a restart and corrects the slices.
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
	t.Logf("the slices were correct %s after the API server was back", time.Since(restored).Round(time.Millisecond))
	for s := range 3 {
		w.flip(w.namespace, workloadName(s, 1))
	}
	w.agrees(3*time.Minute, w.namespace)
	t.Logf("new changes were published %s after it was back", time.Since(restored).Round(time.Millisecond))
	if !c.Running() || c.Pid() != pid {
		t.Error("the controller has ended")
	}
}

// withoutStorage stops the API server and etcd, changes etcd's data folder, and starts both
// again.
func (w *world) withoutStorage(change func(data string) error) {
	w.Helper()
	// After SIGTERM the API server would wait for its watches.
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
