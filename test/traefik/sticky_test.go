package traefik

import (
	"net/http"
	"testing"
)

// TestStickySessionsOutlastADrain: a cookie keeps a client at a machine that drains until
// the machine is not ready, while other clients go elsewhere.
func TestStickySessionsOutlastADrain(t *testing.T) {
	c := newCluster(t)
	const service = "sticky"
	draining, other := c.newServer("10.77.2.11"), c.newServer("10.77.2.12")
	a := machine{name: "a", address: draining.address, ready: true}
	b := machine{name: "b", address: other.address, ready: true}
	c.expose(ingress, service, true, map[string]string{
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
