package integration

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/test/faults"
)

// TestAdoptDryRun compares the output of `adopt --dry-run` for another controller's slices
// with what the controller then does, and checks that the command writes nothing.
func TestAdoptDryRun(t *testing.T) {
	binary, err := faults.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := newIdleSite(t, sharedPlane(t))
	a := s.workload("a", build.IPs("192.0.2.1"))
	b := s.workload("b", build.IPs("192.0.2.2"))
	web := s.service("web")
	left := build.Slice(s.key("linkerd-external-web-former"), build.Of(web),
		build.Endpoint("a", "192.0.2.1", func(e *discoveryv1.Endpoint) { e.TargetRef.UID = a.UID }),
		build.Endpoint("b", "192.0.2.9", func(e *discoveryv1.Endpoint) { e.TargetRef.UID = b.UID }))
	left.UID, left.ResourceVersion = "", ""
	if _, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Create(t.Context(), left, metav1.CreateOptions{FieldManager: formerManager}); err != nil {
		t.Fatal(err)
	}

	before := s.requests()
	want := `Service ` + s.key("web") + `
  step 1: update EndpointSlice linkerd-external-web-former (IPv4)
    ~ b: ready true -> false, serving true -> false (address changed)
  step 2: update EndpointSlice linkerd-external-web-former (IPv4)
    ~ b: address 192.0.2.9 -> 192.0.2.2, ready false -> true, serving false -> true (ready now)

Compared: Services 1, EndpointSlices 1, endpoints 2 (unchanged 1), workloads left out 0
Would write: create 0, update 2, delete 0, for Services 1
`
	if diff := cmp.Diff(want, s.dryRun(t, binary)); diff != "" {
		t.Errorf("before the controller runs (-want +got):\n%s", diff)
	}
	if writes := s.sliceWrites(before); writes != 0 {
		t.Errorf("the dry run made %d writes, want none", writes)
	}

	s.start()
	defer s.stop()
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1 | b 192.0.2.2")
	s.mustHaveWritten(before, 2, "what was announced")
	if said := s.dryRun(t, binary); !strings.HasSuffix(said, "Would write: nothing\n") {
		t.Errorf("after the controller ran:\n%s", said)
	}
}

// dryRun returns the output of the command for the site.
func (s *site) dryRun(t *testing.T, binary string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, "adopt", "--dry-run", "--kubeconfig="+s.plane.Kubeconfig(), "--namespaces="+s.namespace)
	output, err := command.Output()
	if err != nil {
		t.Fatalf("adopt --dry-run: %v", err)
	}
	return string(output)
}
