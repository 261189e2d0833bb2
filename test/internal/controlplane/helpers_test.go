package controlplane_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// eventually waits until the condition returns no error.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		last = condition()
		return last == nil, nil
	})
	if err != nil {
		t.Errorf("%v: %v", err, last)
	}
}

// alive reports whether there is a process with the pid. Every component is a child of this
// test, which waits for it, so a dead component leaves no zombie.
func alive(pid int) bool { return pid != 0 && syscall.Kill(pid, 0) == nil }

func pidsOf(c *controlplane.ControlPlane) map[controlplane.Component]int {
	pids := map[controlplane.Component]int{}
	for _, component := range []controlplane.Component{controlplane.Etcd, controlplane.APIServer, controlplane.ControllerManager} {
		pids[component] = c.Pid(component)
	}
	return pids
}
