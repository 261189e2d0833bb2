package main

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/util/flowcontrol"

	"github.com/external-workload/controller/pkg/leadership"
)

// TestAllClientsShareOneLimit: each of six clients had the whole of --kube-api-qps.
func TestAllClientsShareOneLimit(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{"clusters": [{"name": "a", "cluster": {"server": "https://192.0.2.1"}}], "contexts": [{"name": "a", "context": {"cluster": "a"}}], "current-context": "a"}`
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for sentence, qps := range map[string]float32{"with a limit": 5, "without": unlimitedQPS} {
		t.Run(sentence, func(t *testing.T) {
			c, err := newClients(&options{kubeconfig: kubeconfig, qps: qps, burst: 10}, &leadership.WriteGate{})
			if err != nil {
				t.Fatal(err)
			}
			limiters := map[flowcontrol.RateLimiter]bool{
				c.core.DiscoveryV1().RESTClient().GetRateLimiter():                 true,
				c.workloads.WorkloadV1beta1().RESTClient().GetRateLimiter():        true,
				c.watchedCore.CoreV1().RESTClient().GetRateLimiter():               true,
				c.watchedWorkloads.WorkloadV1beta1().RESTClient().GetRateLimiter(): true,
				c.writeCore.DiscoveryV1().RESTClient().GetRateLimiter():            true,
				c.writeWorkloads.WorkloadV1beta1().RESTClient().GetRateLimiter():   true,
			}
			if len(limiters) != 1 || limiters[nil] != (qps == unlimitedQPS) {
				t.Errorf("there are the limits %v, want one for all clients, or none", limiters)
			}
			if limit := c.ungated.CoordinationV1().RESTClient().GetRateLimiter(); limit != nil {
				t.Errorf("requests for the Lease wait for %v", limit)
			}
		})
	}
}
