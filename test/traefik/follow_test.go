package traefik

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// grace is how long a machine serves after the slices have withdrawn it. Traefik
	// applies at most one change every two seconds (its providersThrottleDuration); the
	// rest is for a busy machine.
	grace = 8 * time.Second
	// rounds is the number of times that readiness is removed and restored.
	rounds = 3
)

// times are Traefik's reaction times after a change of the slice.
type times map[string][]time.Duration

func (t times) add(what string, took time.Duration) { t[what] = append(t[what], max(0, took)) }

func (t times) String() string {
	var lines []string
	for what, all := range t {
		lines = append(lines, fmt.Sprintf("%-32s %d to %d ms, of %d", what,
			slices.Min(all).Milliseconds(), slices.Max(all).Milliseconds(), len(all)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestTraefikFollowsMachines takes one of two machines out of service in every way, and
// back, under load. Each time the machine is switched off a grace period after the slices
// have withdrawn it. No request may be lost.
func TestTraefikFollowsMachines(t *testing.T) {
	c := newCluster(t)
	t.Run("published", func(t *testing.T) {
		for i, by := range apis {
			for j, publishes := range []publisher{byController{}, byHand{}} {
				name := by.name + "-" + []string{"by-controller", "by-hand"}[j]
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					follow(c.on(t), by, publishes, name, fmt.Sprintf("10.77.1%d%d.", i, j))
				})
			}
		}
	})
}

func follow(c *cluster, by api, publishes publisher, service, network string) {
	moving, other := c.newServer(network+"11"), c.newServer(network+"12")
	a := machine{name: "a", address: moving.address, ready: true}
	b := machine{name: "b", address: other.address, ready: true}
	c.expose(by, service, publishes.selects(), nil)
	seen := c.watchSlices(service)
	publish := func() time.Time {
		begin := time.Now()
		publishes.publish(c, service, a, b)
		return begin
	}
	publish()
	c.waitAnswers(service, a.address, b.address)
	l := c.startLoad(service)
	took := times{}

	// takenOut waits until the slices have withdrawn the machine, and switches it off after the
	// grace period.
	takenOut := func(how string, s *server, begin time.Time) {
		c.Helper()
		at := c.changed(seen, false, s.address, begin)
		time.Sleep(time.Until(at.Add(grace)))
		took.add(how+", last request", s.last().Sub(at))
		s.stop()
		time.Sleep(time.Second)
	}
	back := func(how string, s *server, begin time.Time) {
		c.Helper()
		at := c.changed(seen, true, s.address, begin)
		c.eventually("a request at "+s.address, func() bool { return !s.first(at).IsZero() })
		took.add(how+", first request", s.first(at).Sub(at))
	}

	for range rounds {
		a.ready = false
		takenOut("not ready", moving, publish())
		moving.start()
		a.ready = true
		back("ready again", moving, publish())
	}

	moved := c.newServer(network + "21")
	a.address = moved.address
	begin := publish()
	back("address changed, new", moved, begin)
	takenOut("address changed, old", moving, begin)

	a.drained = true
	takenOut("drained", moved, publish())
	moved.start()
	a.drained = false
	back("drain ended", moved, publish())

	sent, failures := l.end()
	c.Logf("%s: %d of %d requests lost; from the change of the slice on:\n%s", service, len(failures), sent, took)
	for _, f := range failures {
		c.Errorf("lost at %s: %s", f.at.Format(time.StampMilli), f.why)
	}
}

// changed waits until the slices have the address as ready or not ready, and returns the
// time.
func (c *cluster) changed(seen *history, ready bool, address string, begin time.Time) time.Time {
	c.Helper()
	c.eventually(fmt.Sprintf("ready %t of %s", ready, address), func() bool {
		return !seen.became(ready, address, begin).IsZero()
	})
	return seen.became(ready, address, begin)
}
