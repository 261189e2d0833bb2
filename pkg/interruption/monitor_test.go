package interruption_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/external-workload/controller/pkg/interruption"
)

const (
	list      = "https://api/apis/workload.linkerd.io/v1beta1/externalworkloads?resourceVersion=0"
	otherList = "https://api/api/v1/services?resourceVersion=0"
	watch     = "https://api/apis/workload.linkerd.io/v1beta1/externalworkloads?watch=true&timeoutSeconds=300&resourceVersion=7"
)

// apiServer answers requests unless it is away.
type apiServer struct {
	mu     sync.Mutex
	away   bool
	status int
	// revision is the resourceVersion of the storage.
	revision string
	// streams are the open watches; closing one ends the watch.
	streams []*io.PipeWriter
}

func (s *apiServer) RoundTrip(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.away && s.status == 0:
		return nil, errors.New("connection refused")
	case s.away:
		return &http.Response{StatusCode: s.status, Body: io.NopCloser(strings.NewReader(""))}, nil
	case request.URL.Query().Get("watch") == "":
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"metadata":{"resourceVersion":"` + s.revision + `"}}`))}, nil
	}
	body, stream := io.Pipe()
	s.streams = append(s.streams, stream)
	return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
}

// goAway ends all watches and stops answering.
func (s *apiServer) goAway() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = true
	for _, stream := range s.streams {
		_ = stream.CloseWithError(io.ErrUnexpectedEOF)
	}
	s.streams = nil
}

// comeBack answers again.
func (s *apiServer) comeBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = false
}

// site is a Monitor between an informer and an API server.
type site struct {
	*interruption.Monitor
	t         *testing.T
	server    apiServer
	transport http.RoundTripper
}

func inSite(t *testing.T, test func(*site)) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{Monitor: interruption.New(), t: t}
		s.transport = s.Keep(&s.server)
		test(s)
	})
}

// request sends a request like an informer, and returns when it is answered.
func (s *site) request(url string) *http.Response {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	return response
}

// follow watches until the watch ends.
func (s *site) follow() {
	response := s.request(watch)
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}

// mustRecover compares the time for which consumers may still lack changes.
func (s *site) mustRecover(want time.Duration) {
	s.t.Helper()
	_, until := s.Recovery()
	if left := max(time.Until(until), 0); left != want {
		s.t.Errorf("consumers may lack changes for %s, want %s", left, want)
	}
}

// TestListIsBackWithinASecond: after an API server was killed and restarted, the list of
// workloads came 65 s after it was back.
func TestListIsBackWithinASecond(t *testing.T) {
	for sentence, status := range map[string]int{
		"connections are refused":  0,
		"a load balancer says 502": http.StatusBadGateway,
		"the API server says 503":  http.StatusServiceUnavailable,
		"a load balancer says 504": http.StatusGatewayTimeout,
	} {
		t.Run(sentence, func(t *testing.T) {
			inSite(t, func(s *site) {
				s.server.away, s.server.status = true, status
				back := time.Now().Add(64*time.Second + 300*time.Millisecond)
				time.AfterFunc(time.Until(back), s.server.comeBack)
				s.request(list).Body.Close()
				if late := time.Since(back); late > time.Second {
					t.Errorf("listed %s after the API server was back", late)
				}
			})
		})
	}
}

func TestRecovery(t *testing.T) {
	for sentence, test := range map[string]func(*site){
		"nothing was interrupted": func(s *site) {
			s.request(list).Body.Close()
			s.mustRecover(0)
		},
		"a watch ends at its timeout": func(s *site) {
			go s.follow()
			time.Sleep(5 * time.Minute)
			s.server.goAway()
			synctest.Wait()
			s.mustRecover(0)
		},
		"a watch is ended by its informer": func(s *site) {
			response := s.request(watch)
			go func() { _, _ = io.Copy(io.Discard, response.Body) }()
			time.Sleep(time.Minute)
			_ = response.Body.Close()
			s.server.goAway()
			synctest.Wait()
			s.mustRecover(0)
		},
		"the API server is away: as long as it is": func(s *site) {
			go s.follow()
			time.Sleep(time.Minute)
			s.server.goAway()
			synctest.Wait()
			s.mustRecover(2 * time.Second)
			time.Sleep(time.Hour)
			s.mustRecover(2 * time.Second)
		},
		"one watch fails alone: for a minute": func(s *site) {
			s.request(otherList).Body.Close()
			go s.follow()
			time.Sleep(time.Minute)
			s.server.goAway()
			synctest.Wait()
			time.Sleep(time.Minute)
			s.mustRecover(2 * time.Second)
			time.Sleep(time.Second)
			s.mustRecover(0)
		},
		"it continues where it ended: until it is certain that nothing is listed": func(s *site) {
			go s.follow()
			time.Sleep(time.Minute)
			s.server.goAway()
			synctest.Wait()
			s.server.comeBack()
			go s.follow()
			synctest.Wait()
			time.Sleep(time.Second)
			s.mustRecover(time.Second)
			time.Sleep(time.Second)
			s.mustRecover(0)
			s.request(list).Body.Close() // long after, for another reason
			s.mustRecover(0)
			s.server.goAway()
		},
		"its position expired and it lists again: twice as long as the API server was away": func(s *site) {
			go s.follow()
			time.Sleep(time.Minute)
			s.server.goAway()
			synctest.Wait()
			time.Sleep(4 * time.Second)
			s.server.comeBack()
			s.request(watch).Body.Close() // an error in its body says that its resourceVersion is too old
			s.request(list).Body.Close()
			s.mustRecover(11 * time.Second)
		},
		"the API server was away for long: a minute": func(s *site) {
			go s.follow()
			time.Sleep(time.Minute)
			s.server.goAway()
			synctest.Wait()
			time.Sleep(time.Hour)
			s.server.comeBack()
			s.request(list).Body.Close()
			s.mustRecover(63 * time.Second)
		},
		"the process could not reach the API server when it started": func(s *site) {
			s.Interrupted(4 * time.Second)
			s.mustRecover(11 * time.Second)
		},
	} {
		t.Run(sentence, func(t *testing.T) { inSite(t, test) })
	}
}

func TestRecoveryBeginsWithTheInterruption(t *testing.T) {
	inSite(t, func(s *site) {
		go s.follow()
		time.Sleep(time.Minute)
		began := time.Now()
		s.server.goAway()
		synctest.Wait()
		time.Sleep(4 * time.Second)
		s.server.comeBack()
		s.request(list).Body.Close()
		if from, _ := s.Recovery(); !from.Equal(began) {
			t.Errorf("from %s, want %s", from, began)
		}
	})
}

func TestProcessThatStartedDuringAnInterruptionMissedItsBeginning(t *testing.T) {
	inSite(t, func(s *site) {
		s.Interrupted(4 * time.Second)
		from, _ := s.Recovery()
		if ago := time.Since(from); ago != 10*time.Minute+4*time.Second {
			t.Errorf("consumers may lack what was written up to %s ago", ago)
		}
	})
}

// TestWatchOfTheFutureIsAnsweredAsGone: after etcd was restored from a backup, the API
// server accepted watches from later resourceVersions and sent nothing, so no change was
// published.
func TestWatchOfTheFutureIsAnsweredAsGone(t *testing.T) {
	for sentence, row := range map[string]struct {
		interrupted bool
		revision    string
		want        int
	}{
		"the storage is older than the watch": {true, "6", http.StatusGone},
		"it is as old":                        {true, "7", http.StatusOK},
		"it is newer":                         {true, "12", http.StatusOK},
		"its version is unknown":              {true, "", http.StatusOK},
		"nothing was interrupted":             {false, "6", http.StatusOK},
	} {
		t.Run(sentence, func(t *testing.T) {
			inSite(t, func(s *site) {
				s.server.revision = row.revision
				if row.interrupted {
					go s.follow()
					time.Sleep(time.Minute)
					s.server.goAway()
					synctest.Wait()
					s.server.comeBack()
				}
				response := s.request(watch)
				defer response.Body.Close()
				if response.StatusCode != row.want {
					t.Errorf("the watch is answered with %d, want %d", response.StatusCode, row.want)
				}
				if row.want == http.StatusGone {
					s.mustRecover(2 * time.Second) // the watch is not resumed before the list
				}
			})
		})
	}
}

func TestCancelledRequestEnds(t *testing.T) {
	inSite(t, func(s *site) {
		s.server.away = true
		ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, list, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := s.transport.RoundTrip(request); !errors.Is(err, context.DeadlineExceeded) {
			if err == nil {
				_ = response.Body.Close()
			}
			t.Errorf("the request ended with %v", err)
		}
	})
}
