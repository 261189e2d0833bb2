package readiness

import (
	"fmt"
	"testing"
	"time"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// TestHungTLSProbesOfOneNamespaceDelayNoOther: memory for probes was first come, first
// served, so 512 of them took all of it and probes of others waited for up to 30 s.
func TestHungTLSProbesOfOneNamespaceDelayNoOther(t *testing.T) {
	// The threshold of a hundred failures is not reached: the test is about probes, not
	// writes.
	const hung = `,"timeoutSeconds":30,"periodSeconds":30,"failureThreshold":100`
	hostile, _ := fleetIn("elsewhere", "hostile", 3000, "")
	for _, workload := range hostile {
		// The most expensive probes: TLS and HTTP/2 in both families.
		probed(fmt.Sprintf(`{"grpc":{"port":80,"service":%q,"mode":"TLS"}%s}`, workload.Name, hung))(workload)
		at("192.0.2.66", "2001:db8::66")(workload)
		having(
			is(v1beta1.WorkloadReady, "True", ReasonProbeSucceeded, ""),
			proven(workload.Name, "192.0.2.66:80"),
			proven(workload.Name, "[2001:db8::66]:80"),
		)(workload)
	}
	victims, names := fleet(100, "")
	inWorld(t, append(hostile, victims...), Config{}, func(w *world) {
		w.setDown(true, "192.0.2.66", "2001:db8::66")
		w.pass(2 * time.Minute)
		for _, name := range names {
			if longest := w.longestPause(name); longest == 0 || longest > 12*time.Second {
				t.Errorf("%s was probed %d times, with a pause of up to %s; want one every 10s, at most 2s late", name, w.timesAsked(name), longest)
			}
		}
		if w.mostMemory > DefaultProbeMemory || w.mostMemory < DefaultProbeMemory/8 {
			t.Errorf("probes in flight took up to %d bytes of %d", w.mostMemory, DefaultProbeMemory)
		}
	})
}
