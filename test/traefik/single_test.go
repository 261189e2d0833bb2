package traefik

import (
	"fmt"
	"testing"
	"time"
)

// move is a way to change the address of a Service's only machine.
type move struct {
	name      string
	publishes publisher
	// inTwoWrites: the machine is not ready in between.
	inTwoWrites bool
	// replaced: a second machine has the new address, and the first is drained after
	// Traefik has had time to see it.
	replaced bool
	// loses: requests may be lost, for as long as Traefik waits between two changes.
	loses bool
}

// TestTheOnlyMachineMoves changes the address of a Service's only machine, which answers at
// both addresses during the whole test.
func TestTheOnlyMachineMoves(t *testing.T) {
	c := newCluster(t)
	t.Run("exposed", func(t *testing.T) {
		for i, by := range apis {
			t.Run(by.name, func(t *testing.T) {
				// Traefik waits between two changes for each of these APIs on its own.
				t.Parallel()
				for j, m := range []move{
					{name: "moved-by-controller", publishes: byController{}, loses: true},
					{name: "moved-by-hand", publishes: byHand{}},
					{name: "moved-by-hand-in-two-writes", publishes: byHand{}, inTwoWrites: true, loses: true},
					{name: "replaced-by-controller", publishes: byController{}, replaced: true},
				} {
					t.Run(m.name, func(t *testing.T) {
						m.test(c.on(t), by, fmt.Sprintf("10.77.2%d%d.", i, j))
					})
				}
			})
		}
	})
}

func (m move) test(c *cluster, by api, network string) {
	service := by.name + "-" + m.name
	before, after := c.newServer(network+"11"), c.newServer(network+"21")
	c.expose(by, service, m.publishes.selects(), nil)
	seen := c.watchSlices(service)
	m.publishes.publish(c, service, machine{name: "only", address: before.address, ready: true})
	c.waitAnswers(service, before.address)
	l := c.startLoad(service)
	// Traefik has applied its last change long ago.
	time.Sleep(grace)
	begin := time.Now()
	m.publish(c, service, before.address, after.address)
	gone, there := c.changed(seen, false, before.address, begin), c.changed(seen, true, after.address, begin)
	c.eventually("a request at the new address", func() bool { return !after.first(begin).IsZero() })
	time.Sleep(grace)
	sent, failures := l.end()
	c.Logf("%s: %d of %d requests lost; ready at the old address until %s, at the new one from %s, last request at the old one %s, first at the new one %s",
		service, len(failures), sent, since(begin, gone), since(begin, there), since(begin, before.last()), since(begin, after.first(begin)))
	if len(failures) == 0 {
		return
	}
	first, last := failures[0], failures[len(failures)-1]
	c.Logf("lost from %s to %s: %s", since(begin, first.at), since(begin, last.at), first.why)
	if !m.loses || last.at.Sub(gone) > grace/2 {
		c.Errorf("requests were lost for %s", since(gone, last.at))
	}
}

// publish publishes the change of the address.
func (m move) publish(c *cluster, service, before, after string) {
	c.Helper()
	only := machine{name: "only", address: before, ready: true}
	if m.replaced {
		second := machine{name: "second", address: after, ready: true}
		m.publishes.publish(c, service, only, second)
		time.Sleep(grace)
		only.drained = true
		m.publishes.publish(c, service, only, second)
		return
	}
	if m.inTwoWrites {
		only.ready = false
		m.publishes.publish(c, service, only)
	}
	only.address, only.ready = after, true
	m.publishes.publish(c, service, only)
}

func since(begin, at time.Time) string { return fmt.Sprintf("%d ms", at.Sub(begin).Milliseconds()) }
