package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/takeover"
)

// scaledQuiet stands for the 12 seconds after which Linkerd's controller has
// noticed that it lost the Lease, where its stand-in needs one.
const scaledQuiet = 1500 * time.Millisecond

// TestTakeover takes a Lease from a controller that goes on writing for a while
// after it lost it, as Linkerd's does, and gives it back.
func TestTakeover(t *testing.T) {
	for _, mode := range []takeover.Mode{takeover.Renew, takeover.Park} {
		t.Run(string(mode), func(t *testing.T) {
			s := newIdleSite(t, sharedPlane(t))
			for i := range 5 {
				s.workload(fmt.Sprintf("vm-%d", i), build.IPs(fmt.Sprintf("192.0.2.%d", i+1)))
			}
			s.service("web")
			former := startFormer(t, s)
			former.await("leads", func() bool { return former.leading.Load() })
			s.eventually("the former controller has published", func() (bool, string) { return len(s.slices()) == 1, "" })

			end := s.takeOver(t, mode)
			t.Run("nothing is rewritten", func(t *testing.T) { s.within(t).testNothingRewritten(former) })
			t.Run("stray writes are repaired", func(t *testing.T) { s.within(t).testStrayWrites(former) })
			end()
			t.Run("the former controller goes on", func(t *testing.T) { s.within(t).testHandedBack(mode, former) })
		})
	}
}

// takeOver takes the former controller's Lease and publishes, until end.
func (s *site) takeOver(t *testing.T, mode takeover.Mode) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	begun, ended := make(chan time.Time, 1), make(chan error, 1)
	taker := takeover.New(takeover.Config{
		Leases: s.core.CoordinationV1(), Lease: s.formerLease(), Identity: "one", Mode: mode, Quiet: scaledQuiet,
	})
	asked := time.Now()
	go func() {
		ended <- taker.Lead(ctx, func(ctx context.Context) error {
			begun <- time.Now()
			<-ctx.Done()
			return nil
		})
	}()
	if waited := (<-begun).Sub(asked); waited < scaledQuiet {
		t.Errorf("writing began after %s, want at least %s", waited, scaledQuiet)
	}
	s.start()
	return func() {
		s.stop()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func (s *site) formerLease() types.NamespacedName {
	return types.NamespacedName{Namespace: s.namespace, Name: "linkerd-destination-endpoint-write"}
}

// testNothingRewritten: what the former controller published stands as it is.
func (s *site) testNothingRewritten(former *former) {
	if former.leading.Load() {
		s.t.Error("the former controller still leads")
	}
	s.eventually("the Service was looked at", func() (bool, string) { return s.hasSynced("web"), "" })
	slice := s.slicesOf("web")[0]
	if slice.Generation != 1 || slice.ManagedFields[0].Manager != formerManager || len(slice.ManagedFields) != 1 {
		s.t.Errorf("the slice was rewritten: %v", slice)
	}
}

// testStrayWrites: the former controller works off a queue with old content
// after the Lease was taken; what differs is repaired, and it ends.
func (s *site) testStrayWrites(former *former) {
	s.setReady("vm-0", false)
	s.waitFor("web", "IPv4 http:8080/TCP | vm-0 192.0.2.1 not ready | vm-1 192.0.2.2 | vm-2 192.0.2.3 | vm-3 192.0.2.4 | vm-4 192.0.2.5")
	before := s.requests()
	former.writeStray()
	s.waitFor("web", "IPv4 http:8080/TCP | vm-0 192.0.2.1 not ready | vm-1 192.0.2.2 | vm-2 192.0.2.3 | vm-3 192.0.2.4 | vm-4 192.0.2.5")
	s.eventually("the other writer is named", func() (bool, string) {
		var events []string
		s.do(func() { events = slices.Clone(s.events) })
		return slices.Contains(events, "web ForeignWrites"), fmt.Sprint(events)
	})
	if writes := s.sliceWrites(before); writes > 2*strayWrites {
		s.t.Errorf("%d writes to repair %d, of which each needs one", writes-strayWrites, strayWrites)
	}
}

// testHandedBack: the former controller leads again after a while, or after a
// hand-back, and writes nothing that differs.
func (s *site) testHandedBack(mode takeover.Mode, former *former) {
	version := s.slicesOf("web")[0].ResourceVersion
	begin := time.Now()
	if mode == takeover.Park {
		former.passive(2 * formerDuration)
		holder, err := takeover.HandBack(s.t.Context(), s.core.CoordinationV1(), s.formerLease())
		if err != nil || holder != "parked" {
			s.t.Fatalf("HandBack returned %q, %v", holder, err)
		}
		begin = time.Now()
	}
	former.await("leads again", func() bool { return former.leading.Load() })
	s.t.Logf("the former controller led again after %s", time.Since(begin).Round(10*time.Millisecond))
	former.await("has synced again", former.synced())
	if now := s.slicesOf("web")[0].ResourceVersion; now != version {
		s.t.Errorf("the former controller rewrote the slice: %s", strings.Join([]string{version, now}, " -> "))
	}
}
