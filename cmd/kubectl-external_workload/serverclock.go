package main

import (
	"net/http"
	"sync"
	"time"
)

// serverClock is the API server's time, from the header Date of its answers. Times in
// objects are compared with it, because the clock of this machine may be wrong.
type serverClock struct {
	mu sync.Mutex
	// date is the time in the last answer, and received when that came.
	date, received time.Time
}

// now returns the time; zero if no answer had one.
func (c *serverClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.date.IsZero() {
		return time.Time{}
	}
	return c.date.Add(time.Since(c.received))
}

// wrap returns a transport that reads the time from each answer.
func (c *serverClock) wrap(next http.RoundTripper) http.RoundTripper { return clockReader{c, next} }

type clockReader struct {
	clock *serverClock
	next  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (r clockReader) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil {
		return response, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		r.clock.mu.Lock()
		r.clock.date, r.clock.received = date, time.Now()
		r.clock.mu.Unlock()
	}
	return response, nil
}
