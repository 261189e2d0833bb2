package integration

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/plan"
	"github.com/external-workload/controller/test/faults"
)

// TestAdoptRefresh announces every endpoint again, and interrupts the command at the moment
// at which an endpoint is withdrawn.
func TestAdoptRefresh(t *testing.T) {
	binary, err := faults.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := newIdleSite(t, sharedPlane(t))
	s.workload("a", build.IPs("192.0.2.1"))
	s.workload("b", build.IPs("192.0.2.2"))
	s.workload("c", build.IPs("192.0.2.3"))
	s.service("web")
	s.setReady("c", false)
	s.start()
	const published = "IPv4 http:8080/TCP | a 192.0.2.1 | b 192.0.2.2 | c 192.0.2.3 not ready"
	s.waitFor("web", published)

	before := s.requests()
	output, err := s.refresh(binary).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(output), "Refreshed 2 endpoints\n") {
		t.Fatalf("adopt --refresh: %v\n%s", err, output)
	}
	s.waitFor("web", published)
	// Each of the two ready endpoints is marked, withdrawn and published.
	s.mustHaveWritten(before, 6, "a refresh")

	s.stop()
	interrupted := s.refresh(binary)
	var said bytes.Buffer
	interrupted.Stdout, interrupted.Stderr = &said, &said
	if err := interrupted.Start(); err != nil {
		t.Fatal(err)
	}
	s.eventually("an endpoint is marked", func() (bool, string) {
		return plan.RefreshRequested(&s.slicesOf("web")[0]), "no mark"
	})
	if err := interrupted.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := interrupted.Wait(); err == nil || !strings.Contains(said.String(), "Stopped after 0 of 2 endpoints") {
		t.Errorf("it ended with %v and the output:\n%s", err, said.String())
	}
	s.waitFor("web", published)
	s.start()
	defer s.stop()
	s.eventually("the endpoint that was marked is announced", func() (bool, string) {
		return !plan.RefreshRequested(&s.slicesOf("web")[0]), "still marked"
	})
	s.waitFor("web", published)
}

// refresh returns the command for the site.
func (s *site) refresh(binary string) *exec.Cmd {
	return exec.CommandContext(s.t.Context(), binary, "adopt", "--refresh", "--refresh-rate=100",
		"--kubeconfig="+s.plane.Kubeconfig(), "--namespaces="+s.namespace)
}
