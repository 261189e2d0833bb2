package traefik

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	clients = 4
	// pause leaves CPU time to the measured programs.
	pause          = 5 * time.Millisecond
	requestTimeout = 10 * time.Second
)

// load is a set of clients that continuously send requests to Traefik. They use POST, since
// neither Go's client nor Traefik's retries such a request.
type load struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	sent     int
	failures []failure
}

// failure is a request without an answer of a machine.
type failure struct {
	at  time.Time
	why string
}

func (c *cluster) startLoad(host string) *load {
	ctx, cancel := context.WithCancel(c.Context())
	l := &load{cancel: cancel}
	for range clients {
		client := &http.Client{Transport: &http.Transport{}, Timeout: requestTimeout}
		l.running.Go(func() {
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				// The end of the load does not cancel requests.
				_, err := c.ask(context.WithoutCancel(ctx), client, host, nil)
				l.add(err)
				time.Sleep(pause)
			}
		})
	}
	c.Cleanup(func() { l.end() })
	return l
}

func (l *load) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	if err != nil {
		l.failures = append(l.failures, failure{at: time.Now(), why: err.Error()})
	}
}

// end ends the load.
func (l *load) end() (sent int, failures []failure) {
	l.cancel()
	l.running.Wait()
	return l.sent, l.failures
}

// ask sends one request and returns the address of the machine that answered.
func (c *cluster) ask(ctx context.Context, client *http.Client, host string, cookie *http.Cookie) (string, error) {
	answer, _, err := c.askWithCookie(ctx, client, host, cookie)
	return answer, err
}

// askWithCookie is ask with cookies, and also returns the cookies of the answer.
func (c *cluster) askWithCookie(ctx context.Context, client *http.Client, host string, cookie *http.Cookie) (string, []*http.Cookie, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+web, strings.NewReader("order"))
	if err != nil {
		return "", nil, err
	}
	request.Host = host
	if cookie != nil {
		request.AddCookie(cookie)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", nil, err
	}
	if response.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return string(body), response.Cookies(), nil
}

// waitAnswers waits until each address has answered.
func (c *cluster) waitAnswers(host string, addresses ...string) {
	c.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: requestTimeout}
	defer client.CloseIdleConnections()
	missing := map[string]bool{}
	for _, address := range addresses {
		missing[address] = true
	}
	var last string
	var err error
	for deadline := time.Now().Add(limit); len(missing) > 0; time.Sleep(pause) {
		if time.Now().After(deadline) {
			c.Fatalf("%s: %v did not answer within %s; the last answer was %q, %v", host, missing, limit, last, err)
		}
		last, err = c.ask(c.Context(), client, host, nil)
		delete(missing, last)
	}
}
