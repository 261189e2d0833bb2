package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
)

const requestTimeout = 2 * time.Second

// newConnections is a client that never uses a connection twice, since kube-proxy
// chooses once for each.
var newConnections = &http.Client{
	Timeout:   requestTimeout,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// An answer is what a peer says: who it is, and when the request arrived.
type answer struct {
	name    string
	arrived time.Time
}

// ask sends one request.
func ask(ctx context.Context, url string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	response, err := newConnections.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	name, at, _ := strings.Cut(strings.TrimSpace(string(body)), " ")
	nanoseconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return answer{}, fmt.Errorf("%s answered %q", url, body)
	}
	return answer{name: name, arrived: time.Unix(0, nanoseconds)}, nil
}

// waitAnswer waits until the URL is answered by the peer of that name.
func waitAnswer(ctx context.Context, url, name string) error {
	return until(ctx, func(ctx context.Context) error {
		got, err := ask(ctx, url)
		if err == nil && got.name != name {
			err = fmt.Errorf("%s is answered by %s, want %s", url, got.name, name)
		}
		return err
	})
}

// shares sends requests and counts who answered. No request may fail.
func shares(ctx context.Context, url string, requests int) (map[string]int, error) {
	counts := map[string]int{}
	for range requests {
		got, err := ask(ctx, url)
		if err != nil {
			return nil, err
		}
		counts[got.name]++
	}
	return counts, nil
}

// A load is clients that ask without pause, until end.
type load struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	answers  []answer
	failures []failure
}

// A failure is a request that was not answered, and when that was known.
type failure struct {
	at  time.Time
	err error
}

// losesNothing asks a Service without pause while something is done, and returns the
// number of requests. It fails if a request is lost, or if the Service has no ready
// endpoint at some time.
func (c *cluster) losesNothing(ctx context.Context, service, url string, during func(*load) error) (all int, err error) {
	anyReady, err := c.watchReady(ctx, service, func(discoveryv1.Endpoint) bool { return true })
	if err != nil {
		return 0, err
	}
	defer anyReady.end()
	lost, all, err := c.underLoad(ctx, service, url, during)
	switch {
	case err != nil:
		return all, err
	case !anyReady.always():
		return all, errors.New("at one time the Service had no ready endpoint")
	case len(lost) > 0:
		return all, fmt.Errorf("%d of %d requests failed, the first with: %w", len(lost), all, lost[0].err)
	}
	return all, nil
}

// underLoad asks a Service without pause while something is done. It returns the
// requests that were lost, but for those that the kernel lost, and how many there
// were in all.
func (c *cluster) underLoad(ctx context.Context, service, url string, during func(*load) error) (lost []failure, all int, err error) {
	untranslated, err := c.countUntranslated(ctx, service, url)
	if err != nil {
		return nil, 0, err
	}
	l := startLoad(ctx, url, clients)
	err = during(l)
	failed, all := l.end()
	lost, lostErr := untranslated.lost(ctx, failed)
	return lost, all, errors.Join(err, lostErr, untranslated.end(ctx))
}

func startLoad(ctx context.Context, url string, clients int) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel}
	for range clients {
		l.running.Go(func() {
			for ctx.Err() == nil {
				got, err := ask(ctx, url)
				l.add(got, err, ctx)
			}
		})
	}
	return l
}

func (l *load) add(got answer, err error, ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.answers = append(l.answers, got)
	case ctx.Err() == nil: // else it failed because the load ends
		l.failures = append(l.failures, failure{time.Now(), err})
	}
}

// end ends the load and gives the requests that failed, and how many there were.
func (l *load) end() (failed []failure, all int) {
	l.cancel()
	l.running.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures, len(l.failures) + len(l.answers)
}

// last returns when the last request arrived at the peer, and how many arrived
// elsewhere since.
func (l *load) last(name string) (at time.Time, since int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answers {
		if a.name == name && a.arrived.After(at) {
			at = a.arrived
		}
	}
	for _, a := range l.answers {
		if a.arrived.After(at) {
			since++
		}
	}
	return at, since
}

// first returns when the first request after the time arrived at the peer; zero: none.
func (l *load) first(name string, after time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var at time.Time
	for _, a := range l.answers {
		if a.name == name && a.arrived.After(after) && (at.IsZero() || a.arrived.Before(at)) {
			at = a.arrived
		}
	}
	return at
}
