package traefik

import (
	"net/http"
	"testing"
	"time"
)

// TestStickySessionsOutlastADrain holds a client by a cookie at a machine that drains:
// the client stays until the machine is not ready, while others go elsewhere.
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

// TestTheOnlyMachineMoves changes the address of a Service's only machine, which
// answers at both addresses for the whole time.
func TestTheOnlyMachineMoves(t *testing.T) {
	c := newCluster(t)
	for i, publishes := range []publisher{byController{}, byHand{}} {
		name := []string{"by-controller", "by-hand"}[i]
		t.Run(name, func(t *testing.T) {
			c := c.on(t)
			network := []string{"10.77.3.", "10.77.4."}[i]
			before, after := c.newServer(network+"11"), c.newServer(network+"21")
			only := machine{name: "only", address: before.address, ready: true}
			service := "only-" + name
			c.expose(service, publishes.selects(), nil)
			seen := c.watchSlices(service)
			publishes.publish(c, service, only)
			c.waitAnswers(service, only.address)
			l := c.startLoad(service)
			time.Sleep(grace)
			begin := time.Now()
			only.address = after.address
			publishes.publish(c, service, only)
			gone, there := c.changed(seen, false, before.address, begin), c.changed(seen, true, after.address, begin)
			c.eventually("a request at the new address", func() bool { return !after.first(begin).IsZero() })
			time.Sleep(time.Second)
			sent, failures := l.end()
			t.Logf("%s: %d of %d requests lost; the slices had no address for %d ms, Traefik for %d ms",
				name, len(failures), sent, there.Sub(gone).Milliseconds(), after.first(begin).Sub(before.last()).Milliseconds())
			for _, f := range failures[:min(3, len(failures))] {
				t.Logf("lost %d ms after: %s", f.at.Sub(gone).Milliseconds(), f.why)
			}
		})
	}
}
