package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const (
	loopback = "127.0.0.1"
	// askInterval is the interval between requests for readiness, and so the accuracy of the
	// time at which the caches are filled.
	askInterval = 5 * time.Millisecond
	// The queue is read every settleInterval, and must be empty that many times in a row.
	settleInterval = 100 * time.Millisecond
	settleTimes    = 5
)

// A controller is the measured process.
type controller struct {
	program
	metrics, health string
	profile         bool
	// filled is the time at which its caches were filled.
	filled time.Time
}

// startController starts a build of the controller, and returns when its caches are filled.
func (s *stage) startController(ctx context.Context, binary string) (*controller, error) {
	c := &controller{profile: s.bench.options.profiles != ""}
	for _, address := range []*string{&c.metrics, &c.health} {
		port, err := controlplane.FreePort(loopback)
		if err != nil {
			return nil, err
		}
		*address = net.JoinHostPort(loopback, strconv.Itoa(port))
	}
	command := slices.Concat([]string{
		binary, "--kubeconfig=" + s.plane.Kubeconfig(), "--namespaces=" + benchNamespace,
		// Each run has its own new Lease.
		"--leader-elect-lease-namespace=" + benchNamespace, fmt.Sprintf("--leader-elect-lease-name=run-%d", s.runs+1),
		"--readiness=false", "--pprof=" + strconv.FormatBool(c.profile),
		"--metrics-bind-address=" + c.metrics, "--health-bind-address=" + c.health,
	}, s.bench.options.forController)
	var err error
	if c.program, err = s.start(ctx, controllerName, command); err != nil {
		return nil, err
	}
	if err := c.waitUntilFilled(ctx); err != nil {
		return nil, errors.Join(err, c.process.Stop())
	}
	return c, nil
}

func (c *controller) waitUntilFilled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(askInterval)
	defer ticker.Stop()
	for {
		if answer, err := get(ctx, "http://"+c.health+"/readyz"); err == nil {
			c.filled = time.Now()
			return answer.Close()
		}
		select {
		case <-ticker.C:
		case <-c.process.Exited():
			return errors.New("the controller ended before its caches were filled")
		case <-ctx.Done():
			return fmt.Errorf("waiting for the controller's caches: %w", context.Cause(ctx))
		}
	}
}

// settle returns when the controller has had no work for a while.
func (c *controller) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	ticker := time.NewTicker(settleInterval)
	defer ticker.Stop()
	var before queue
	for quiet := 0; quiet < settleTimes; {
		now, err := c.queue(ctx)
		if err != nil {
			return err
		}
		quiet++
		if now.depth > 0 || now != before {
			quiet = 0
		}
		before = now
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until the controller has no work: %w", context.Cause(ctx))
		}
	}
	return nil
}

// queue is the state of the controller's work queue.
type queue struct{ depth, added, worked float64 }

func (c *controller) queue(ctx context.Context) (queue, error) {
	text, err := get(ctx, "http://"+c.metrics+"/metrics")
	if err != nil {
		return queue{}, err
	}
	defer text.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return queue{}, fmt.Errorf("reading the controller's metrics: %w", err)
	}
	named := func(name string) *dto.Metric {
		for _, metric := range families[name].GetMetric() {
			if slices.ContainsFunc(metric.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == "endpointslice" }) {
				return metric
			}
		}
		return nil
	}
	return queue{
		depth:  named("workqueue_depth").GetGauge().GetValue(),
		added:  named("workqueue_adds_total").GetCounter().GetValue(),
		worked: float64(named("workqueue_work_duration_seconds").GetHistogram().GetSampleCount()),
	}, nil
}

// saveProfile writes a profile, such as heap, into the folder for profiles if one was
// given.
func (c *controller) saveProfile(ctx context.Context, folder, kind, name string) error {
	if !c.profile {
		return nil
	}
	profile, err := get(ctx, "http://"+c.metrics+"/debug/pprof/"+kind)
	if err != nil {
		return err
	}
	defer profile.Close()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(folder, name+".pprof"))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, profile)
	return errors.Join(err, file.Close())
}

// get requests a page. The caller closes the body.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("%s answered %s", url, response.Status)
	}
	return response.Body, nil
}
