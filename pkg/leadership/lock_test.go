package leadership

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fault: a duration with a fraction of a second, which the Lease cannot store.
func TestOthersWaitForTheWholeLeaseDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t, 9)
		running := p.run(0)
		synctest.Wait()
		if lasts := 2 * time.Second; time.Until(p.lease.free()) != lasts {
			t.Errorf("others may lead after %s, want %s for a duration of %s", time.Until(p.lease.free()), lasts, p.lasts)
		}
		p.line.freeze(time.Minute)
		p.pass(time.Until(p.lease.free()) - time.Nanosecond)
		p.lease.taken()
		p.pass(time.Nanosecond)
		p.lease.taken()
		p.check()
		p.end(running)
	})
}

// Fault: two renewals within one second, as after an unanswered one. Others must see both,
// because our Lease lasts from the second.
func TestRenewalsWithinOneSecondDiffer(t *testing.T) {
	lease := &contested{}
	var read [][]byte
	for _, fraction := range []time.Duration{0, 300 * time.Millisecond} {
		record := lease.recordOf(us, time.Minute)
		record.RenewTime = metav1.NewTime(time.Unix(1000, int64(fraction)))
		_, raw, err := (&gateLock{Interface: &looker{record: record}}).Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, raw)
	}
	if bytes.Equal(read[0], read[1]) {
		t.Errorf("both records are %s", read[0])
	}
}

// Fault: a renewal took effect and was not answered. The elector retries with the record
// of the first attempt, which would renew nothing.
func TestSecondTryToRenewIsARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t, 50)
		lock := &gateLock{Interface: p.line, gate: p.gate, duration: p.lasts}
		record := p.lease.recordOf(us, p.lasts)
		p.line.meet(1, fate{unanswered: true})
		if err := lock.Create(t.Context(), record); err == nil {
			t.Fatal("the lost answer arrived")
		}
		p.pass(3 * time.Second)
		if _, _, err := lock.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := lock.Update(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		p.check()
		if left := time.Until(p.lease.free()); left != p.lasts {
			t.Errorf("others wait for %s, want %s", left, p.lasts)
		}
	})
}
