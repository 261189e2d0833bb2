package kubelet

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// difference is an intended difference between the results for one server.
type difference struct{ kubelet, ours string }

// scenario is a server and how it is probed.
type scenario struct {
	server server
	probe  corev1.ProbeHandler
}

// TestProbesAreKubelets probes the same servers with kubelet's prober and ours. Both must
// return the same result and send the same request, except for the differences in the table
// in docs/readiness.md.
func TestProbesAreKubelets(t *testing.T) {
	all := map[string]scenario{}
	for _, part := range []map[string]scenario{tcpScenarios(), statusScenarios(), headerScenarios(), bodyScenarios(), redirectScenarios(), requestScenarios(), tlsScenarios(), http2Scenarios(), grpcScenarios()} {
		for sentence, one := range part {
			if _, twice := all[sentence]; twice {
				t.Fatalf("two cases are called %q", sentence)
			}
			all[sentence] = one
		}
	}
	if len(all) < 350 {
		t.Fatalf("there are %d cases; 350 are needed", len(all))
	}
	t.Logf("%d cases", len(all))
	documented := documentedDifferences(t)
	for sentence := range maps.Keys(documented) {
		if _, known := all[sentence]; !known {
			t.Errorf("docs/readiness.md documents a difference without a case: %q", sentence)
		}
	}
	for sentence, one := range all {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			compare(t, one, documented[sentence])
		})
	}
}

func compare(t *testing.T, one scenario, documented difference) {
	var theirs, ours seen
	theirAddress, ourAddress := one.server(t, &theirs), one.server(t, &ours)
	theirProbe, _, err := readinessProbe(one.probe, portOf(theirAddress))
	if err != nil {
		t.Fatal(err)
	}
	_, annotation, err := readinessProbe(one.probe, portOf(ourAddress))
	if err != nil {
		t.Fatal(err)
	}
	var got difference
	var message string
	got.kubelet = askKubelet(t, theirProbe)
	got.ours, message = askOurs(t, annotation)
	if documented != (difference{}) {
		if got != documented {
			t.Errorf("docs/readiness.md says %+v, got %+v (%s)", documented, got, message)
		}
		return
	}
	if got.kubelet != got.ours {
		t.Errorf("kubelet: %s; ours: %s (%s)", got.kubelet, got.ours, message)
	}
	theirRequests, ourRequests := theirs.all(portOf(theirAddress)), ours.all(portOf(ourAddress))
	if one.probe.GRPC != nil {
		// gRPC's client reconnects within a second if the timeout permits it.
		theirRequests, ourRequests = slices.Compact(theirRequests), slices.Compact(ourRequests)
	}
	if diff := cmp.Diff(theirRequests, ourRequests); diff != "" {
		t.Errorf("the requests differ (-kubelet +ours)\n%s", diff)
	}
}

// documentedDifferences reads the table of the docs: what, kubelet, here, why.
func documentedDifferences(t *testing.T) map[string]difference {
	content, err := os.ReadFile("../../docs/readiness.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([^|]+) \| (success|failure|success with a warning) \| (success|failure|success with a warning|refused as invalid) \| [^|]+ \|$`)
	found := map[string]difference{}
	for _, match := range row.FindAllStringSubmatch(string(content), -1) {
		found[match[1]] = difference{kubelet: match[2], ours: match[3]}
	}
	if len(found) == 0 {
		t.Fatal("docs/readiness.md has no table of differences")
	}
	return found
}
