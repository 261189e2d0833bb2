package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/takeover"
)

const (
	// scaledQuiet is a tenth of the 12 s within which Linkerd's controller detects a lost Lease.
	scaledQuiet = 1500 * time.Millisecond
	// busyServices is the number of Services that fill the former controller's queue for at
	// least 3.6 s: a tenth of the time of Linkerd's controller.
	busyServices, busyChanges = 4, 16
)

// busy is a label of the workload and the Services of the queue.
const busy = "busy"

// TestTakeover takes a Lease over from a controller that writes for a while after it lost
// the Lease, like Linkerd's, and hands it back.
func TestTakeover(t *testing.T) {
	for _, mode := range []takeover.Mode{takeover.Renew, takeover.Park} {
		t.Run(string(mode), func(t *testing.T) {
			s := newIdleSite(t, sharedPlane(t))
			for i := range 5 {
				s.workload(fmt.Sprintf("vm-%d", i), build.IPs(fmt.Sprintf("192.0.2.%d", i+1)))
			}
			s.service("web")
			s.workload("changing", build.IPs("192.0.2.9"), build.NoLabels(), build.Label("app", busy))
			for i := range busyServices {
				s.service(busyService(i), build.Selector("app", busy))
			}
			former := startFormer(t, s)
			former.await("has published", func() bool { return former.queued.Load() == 1+busyServices && former.waiting.Load() == 0 })

			former.fillQueue()
			end := s.takeOver(t, mode)
			t.Run("nothing is rewritten", func(t *testing.T) { s.within(t).testNothingRewritten(former) })
			t.Run("stray writes are repaired", func(t *testing.T) { s.within(t).testStrayWrites(former) })
			end()
			t.Run("the former controller leads again", func(t *testing.T) { s.within(t).testHandedBack(mode, former) })
		})
	}
}

func busyService(i int) string { return fmt.Sprintf("%s-%d", busy, i) }

// fillQueue changes the readiness of one workload until the former controller has many stale
// writes in its queue. In the end the workload is not ready.
func (f *former) fillQueue() {
	f.site.t.Helper()
	before := f.queued.Load()
	for change := range busyChanges {
		f.site.setReady("changing", change%2 == 1)
		f.await("sees a change", func() bool { return f.queued.Load() == before+int64((change+1)*busyServices) })
	}
}

// takeOver takes over the former controller's Lease and publishes until end.
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

// testNothingRewritten: correct slices of the former controller stay unchanged.
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

// testStrayWrites: the former controller processes its queue with stale content. Each
// differing slice is repaired once.
func (s *site) testStrayWrites(former *former) {
	// Every other queued write has the workload as ready.
	s.setReady("changing", true)
	strays, before := former.waiting.Load(), s.requests()
	if strays < 6*busyServices {
		s.t.Fatalf("the former controller has only %d writes left, too few for this test", strays)
	}
	former.await("has worked off its queue", func() bool { return former.waiting.Load() == 0 })
	for i := range busyServices {
		s.waitFor(busyService(i), "IPv4 http:8080/TCP | changing 192.0.2.9")
	}
	s.eventually("the other writer is named", func() (bool, string) {
		var events []string
		s.do(func() { events = slices.Clone(s.events) })
		return slices.Contains(events, busyService(0)+" ForeignWrites"), fmt.Sprint(events)
	})
	// One write for each stray write, one for the change here, and one for the existing slice.
	own := s.sliceWrites(before) - int(strays)
	s.t.Logf("%d writes of the former controller, %d of ours", strays, own)
	if most := int(strays) + 2*busyServices; own > most {
		s.t.Errorf("%d writes to repair %d stray writes, want at most %d", own, strays, most)
	}
}

// testHandedBack: the former controller leads again after a while, or after a hand-back, and
// changes no slice.
func (s *site) testHandedBack(mode takeover.Mode, former *former) {
	versions := s.versions()
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
	former.await("has looked again", former.looked())
	former.await("has written what it found", func() bool { return former.waiting.Load() == 0 })
	if now := s.versions(); !slices.Equal(now, versions) {
		s.t.Errorf("the former controller rewrote slices: %v -> %v", versions, now)
	}
}

// versions returns the names and resourceVersions of all slices, sorted.
func (s *site) versions() []string {
	var versions []string
	for _, slice := range s.slices() {
		versions = append(versions, slice.Name+" "+slice.ResourceVersion)
	}
	slices.Sort(versions)
	return versions
}
