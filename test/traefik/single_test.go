package traefik

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestStickySessionsOutlastADrain: a cookie keeps a client at a machine that drains until
// the machine is not ready, while other clients go elsewhere.
func TestStickySessionsOutlastADrain(t *testing.T) {
	c := newCluster(t)
	const service = "sticky"
	draining, other := c.newServer("10.77.2.11"), c.newServer("10.77.2.12")
	a := machine{name: "a", address: draining.address, ready: true}
	b := machine{name: "b", address: other.address, ready: true}
	c.expose(service, true, map[string]string{
		"traefik.ingress.kubernetes.io/service.sticky.cookie":      "true",
		"traefik.ingress.kubernetes.io/service.sticky.cookie.name": "machine",
	})
	byController{}.publish(c, service, a, b)
	c.waitAnswers(service, a.address, b.address)

	client := &http.Client{Transport: &http.Transport{}, Timeout: requestTimeout}
	defer client.CloseIdleConnections()
	var session *http.Cookie
	c.eventually("a session at the machine", func() bool {
		answer, cookies, err := c.askWithCookie(c.Context(), client, service, nil)
		c.must(err)
		if answer == a.address && len(cookies) == 1 {
			session = cookies[0]
		}
		return session != nil
	})

	a.drained = true
	byController{}.publish(c, service, a, b)
	quiet := 0
	c.eventually("new clients go elsewhere", func() bool {
		answer, err := c.ask(c.Context(), client, service, nil)
		c.must(err)
		if quiet++; answer == a.address {
			quiet = 0
		}
		return quiet == 40
	})
	for range 100 {
		answer, err := c.ask(c.Context(), client, service, session)
		c.must(err)
		if answer != a.address {
			t.Fatalf("the session went to %s while its machine drained, want %s", answer, a.address)
		}
	}
	a.ready = false
	byController{}.publish(c, service, a, b)
	c.eventually("the session goes elsewhere", func() bool {
		answer, err := c.ask(c.Context(), client, service, session)
		c.must(err)
		return answer == b.address
	})
}

// TestTheOnlyMachineMoves changes the address of a Service's only machine, which answers at
// both addresses during the whole test.
func TestTheOnlyMachineMoves(t *testing.T) {
	c := newCluster(t)
	for i, test := range []struct {
		name      string
		publishes publisher
		// inTwoWrites: the machine is not ready in between.
		inTwoWrites bool
		// replaced: a second machine has the new address, and the first is drained after
		// Traefik has had time to see it.
		replaced bool
		// loses: requests may be lost, for as long as Traefik waits between two changes.
		loses bool
	}{
		{name: "moved-by-controller", publishes: byController{}, loses: true},
		{name: "moved-by-hand", publishes: byHand{}},
		{name: "moved-by-hand-in-two-writes", publishes: byHand{}, inTwoWrites: true, loses: true},
		{name: "replaced-by-controller", publishes: byController{}, replaced: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := c.on(t)
			network := fmt.Sprintf("10.77.%d.", 3+i)
			before, after := c.newServer(network+"11"), c.newServer(network+"21")
			only := machine{name: "only", address: before.address, ready: true}
			second := machine{name: "second", address: after.address, ready: true}
			c.expose(test.name, test.publishes.selects(), nil)
			seen := c.watchSlices(test.name)
			test.publishes.publish(c, test.name, only)
			c.waitAnswers(test.name, only.address)
			l := c.startLoad(test.name)
			// Traefik has applied its last change long ago.
			time.Sleep(grace)
			begin := time.Now()
			if test.replaced {
				test.publishes.publish(c, test.name, only, second)
				time.Sleep(grace)
				only.drained = true
				test.publishes.publish(c, test.name, only, second)
			} else {
				if test.inTwoWrites {
					only.ready = false
					test.publishes.publish(c, test.name, only)
				}
				only.address, only.ready = after.address, true
				test.publishes.publish(c, test.name, only)
			}
			gone, there := c.changed(seen, false, before.address, begin), c.changed(seen, true, after.address, begin)
			c.eventually("a request at the new address", func() bool { return !after.first(begin).IsZero() })
			time.Sleep(grace)
			sent, failures := l.end()
			t.Logf("%s: %d of %d requests lost; ready at the old address until %s, at the new one from %s, last request at the old one %s, first at the new one %s",
				test.name, len(failures), sent, since(begin, gone), since(begin, there), since(begin, before.last()), since(begin, after.first(begin)))
			if len(failures) == 0 {
				return
			}
			first, last := failures[0], failures[len(failures)-1]
			t.Logf("lost from %s to %s: %s", since(begin, first.at), since(begin, last.at), first.why)
			if !test.loses || last.at.Sub(gone) > grace/2 {
				t.Errorf("requests were lost for %s", since(gone, last.at))
			}
		})
	}
}

func since(begin, at time.Time) string { return fmt.Sprintf("%d ms", at.Sub(begin).Milliseconds()) }
