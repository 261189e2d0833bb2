package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// readinessRounds is how often readiness is taken and given back.
	readinessRounds = 20
	// clients ask without pause, so that a late request would be seen.
	clients = 4
	// quietRequests in a row must go elsewhere before a VM counts as withdrawn.
	// Of two endpoints one is missed that often by chance once in 10^12.
	quietRequests = 40
	// quietTime must pass as well.
	quietTime = 500 * time.Millisecond
	// movedVM is the VM whose readiness changes.
	movedVM = "moving-a"
	// settleLimit is far above what is measured: it catches a controller that
	// waits for something, on machines however busy.
	settleLimit = 5 * time.Second
)

// readinessMovesTraffic takes the Ready condition from one of two VMs and gives it
// back, under load, and measures how soon the requests follow. The other VM must
// be ready in every slice that is seen, and no request fails, since both VMs answer
// all the time.
func readinessMovesTraffic(ctx context.Context, c *cluster) error {
	const service = "moving"
	url, err := c.createService(ctx, service, nil)
	if err != nil {
		return err
	}
	labels := map[string]string{"app": service}
	moved, untouched := vm{name: movedVM, address: vms[1].address, port: 8082}, vm{name: "moving-b", address: vms[2].address, port: 8082}
	for _, v := range []vm{moved, untouched} {
		if _, err := c.startWorkload(ctx, v, labels); err != nil {
			return err
		}
	}
	if err := errors.Join(waitAnswer(ctx, url, moved.name), waitAnswer(ctx, url, untouched.name)); err != nil {
		return err
	}
	seen, err := c.watchAddress(ctx, service, moved.address)
	if err != nil {
		return err
	}
	other, err := c.watchAddress(ctx, service, untouched.address)
	if err != nil {
		seen.end()
		return err
	}
	var times moves
	lost, all, err := c.underLoad(ctx, service, url, func(l *load) (err error) {
		times, err = c.moveTraffic(ctx, l, seen)
		return err
	})
	seen.end()
	other.end()
	for _, f := range lost {
		c.note("one of %d requests, %s after the slice had changed: %v", all, f.at.Sub(seen.last(f.at)), f.err)
	}
	if err != nil {
		return err
	}
	if !other.always() {
		return errors.New("the VM that was not touched was not ready in every slice")
	}
	if len(lost) > 0 {
		return fmt.Errorf("%d of %d requests failed", len(lost), all)
	}
	c.note("withdrawn: slice changed %s", spread(times.unpublished))
	c.note("           last request  %s", spread(times.withdrawn))
	c.note("restored:  slice changed %s", spread(times.published))
	c.note("           first request %s", spread(times.restored))
	if slowest := slices.Max(slices.Concat(times.withdrawn, times.restored)); slowest > settleLimit {
		return fmt.Errorf("it took up to %s, want at most %s", slowest, settleLimit)
	}
	return nil
}

// moves are the times from the change of the status, one for each round. They
// begin before the request that changes it is sent, so it is part of them.
type moves struct{ unpublished, withdrawn, published, restored []time.Duration }

func (c *cluster) moveTraffic(ctx context.Context, l *load, seen *history) (moves, error) {
	var times moves
	for range readinessRounds {
		begin := time.Now()
		if err := c.setReady(ctx, movedVM, v1beta1.ConditionFalse); err != nil {
			return times, err
		}
		if err := l.waitQuiet(ctx, movedVM); err != nil {
			return times, err
		}
		last, _ := l.last(movedVM)
		times.withdrawn = append(times.withdrawn, max(0, last.Sub(begin)))
		times.unpublished = append(times.unpublished, seen.became(false, begin))

		begin = time.Now()
		if err := c.setReady(ctx, movedVM, v1beta1.ConditionTrue); err != nil {
			return times, err
		}
		if err := l.waitReached(ctx, movedVM, begin); err != nil {
			return times, err
		}
		times.restored = append(times.restored, l.first(movedVM, begin).Sub(begin))
		times.published = append(times.published, seen.became(true, begin))
	}
	return times, nil
}

// waitQuiet waits until no request reaches the peer any more.
func (l *load) waitQuiet(ctx context.Context, name string) error {
	return until(ctx, func(context.Context) error {
		at, since := l.last(name)
		if quiet := time.Since(at); quiet < quietTime || since < quietRequests {
			return fmt.Errorf("a request reached %s %s ago", name, quiet)
		}
		return nil
	})
}

// spread describes the median and the ends of durations.
func spread(of []time.Duration) string {
	sorted := slices.Sorted(slices.Values(of))
	return fmt.Sprintf("median %.0f ms, %.0f to %.0f ms, of %d", milliseconds(sorted[len(sorted)/2]),
		milliseconds(sorted[0]), milliseconds(sorted[len(sorted)-1]), len(sorted))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// probeWithdraws ends a server whose workload asks for a probe, and brings it
// back; nobody writes a status by hand.
func probeWithdraws(ctx context.Context, c *cluster) error {
	const service = "probed"
	probed := vm{name: "vm-c", address: "192.168.77.13", port: serverPort}
	url, err := c.createService(ctx, service, nil)
	if err != nil {
		return err
	}
	w := workload("probed-c", probed.address, map[string]string{"app": service})
	w.Annotations = map[string]string{v1beta1.ProbeAnnotation: `{"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 2}`}
	if err := c.create(ctx, w); err != nil {
		return err
	}
	steady := workload("steady-b", vms[2].address, map[string]string{"app": service})
	if err := c.createWorkload(ctx, steady); err != nil {
		return err
	}
	for range 2 {
		if err := c.waitPublished(ctx, service, []string{vms[2].address}); err != nil {
			return fmt.Errorf("while the server is down: %w", err)
		}
		server, err := c.startVM(ctx, probed)
		if err != nil {
			return err
		}
		if err := waitAnswer(ctx, url, probed.name); err != nil {
			return fmt.Errorf("while the server is up: %w", err)
		}
		server.Kill()
		begin := time.Now()
		if err := c.waitPublished(ctx, service, []string{vms[2].address}); err != nil {
			return fmt.Errorf("after the server has ended: %w", err)
		}
		c.note("withdrawn by its probe (every second, twice) %.1fs after the server ended", time.Since(begin).Seconds())
	}
	return c.onlyAnswers(ctx, url, "vm-b")
}
