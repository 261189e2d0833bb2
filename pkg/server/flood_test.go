package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	authenticationapi "k8s.io/api/authentication/v1"
	authorizationapi "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/klog/v2"
)

// logLines keeps what is logged.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

// context returns a context with a logger that writes here.
func (l *logLines) context(t *testing.T) context.Context {
	t.Helper()
	return klog.NewContext(t.Context(), funcr.New(func(_, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, args)
	}, funcr.Options{}))
}

func (l *logLines) containing(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// slowReviews is a slow API server that recognises only the token "good".
type slowReviews struct {
	authenticationv1.TokenReviewInterface
	takes     time.Duration
	now, most atomic.Int64 // concurrent reviews: now, and the maximum so far
}

func (r *slowReviews) Create(ctx context.Context, review *authenticationapi.TokenReview, _ metav1.CreateOptions) (*authenticationapi.TokenReview, error) {
	for now := r.now.Add(1); ; {
		if most := r.most.Load(); now <= most || r.most.CompareAndSwap(most, now) {
			break
		}
	}
	defer r.now.Add(-1)
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	review.Status.Authenticated = review.Spec.Token == "good"
	return review, nil
}

// allAllowed permits everything to everybody.
type allAllowed struct {
	authorizationv1.SubjectAccessReviewInterface
}

func (allAllowed) Create(_ context.Context, review *authorizationapi.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationapi.SubjectAccessReview, error) {
	review.Status.Allowed = true
	return review, nil
}

// TestJunkTokensDoNotKeepAScraperOut sends 10,000 junk tokens in five minutes from one
// address, with an API server that reviews 20 tokens a second.
func TestJunkTokensDoNotKeepAScraperOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const strangers, each = 50, 200
		lines, reviews := &logLines{}, &slowReviews{takes: 200 * time.Millisecond}
		handler := newGuard(reviews, allAllowed{}).protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		ask := func(client, token string) int {
			request := httptest.NewRequestWithContext(lines.context(t), http.MethodGet, "/metrics", nil)
			request.RemoteAddr = client
			request.Header.Set("Authorization", "Bearer "+token)
			response := httptest.NewRecorder()
			handler.ServeHTTP(response, request)
			return response.Code
		}
		begin := time.Now()
		const flood, scraper = "192.0.2.66:1", "192.0.2.1:1"
		if got := ask(flood, "good"); got != http.StatusOK {
			t.Fatalf("status %d before the flood", got)
		}
		var group sync.WaitGroup
		for stranger := range strangers {
			group.Go(func() {
				for i := range each {
					if got := ask(flood, fmt.Sprintf("junk-%d-%d", stranger, i)); got != http.StatusUnauthorized && got != http.StatusTooManyRequests {
						t.Errorf("junk got status %d", got)
					}
					time.Sleep(1500 * time.Millisecond)
				}
			})
		}
		for range 20 {
			time.Sleep(15 * time.Second)
			// One scraper has the address of the flood and is already known; the
			// other is new and comes during the flood.
			for _, client := range []string{flood, scraper} {
				if got := ask(client, "good"); got != http.StatusOK {
					t.Errorf("a scrape from %s got status %d", client, got)
				}
			}
		}
		group.Wait()
		if most := reviews.most.Load(); most > concurrentReviews+concurrentRefreshes {
			t.Errorf("%d concurrent reviews, want at most %d", most, concurrentReviews+concurrentRefreshes)
		}
		if got, most := lines.containing(""), int(time.Since(begin)/logInterval)+1; len(got) < 1 || len(got) > most {
			t.Errorf("%d log lines, want one a minute, %d: %q", len(got), most, got)
		}
	})
}

// TestAnUnknownScraperGetsInDuringAFloodFromElsewhere is about the first scrape, for which
// no decision is cached.
func TestAnUnknownScraperGetsInDuringAFloodFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard := newGuard(&slowReviews{takes: time.Second}, allAllowed{})
		var group sync.WaitGroup
		for i := range 10 * maxReviews {
			group.Go(func() { askFrom(guard, "192.0.2.66:1", fmt.Sprint("junk", i)) })
		}
		synctest.Wait()
		begin := time.Now()
		if got := askFrom(guard, "192.0.2.1:1", "good"); got != http.StatusOK {
			t.Errorf("status %d, want 200", got)
		}
		if took := time.Since(begin); took > (maxReviewsPerClient/concurrentReviews+1)*time.Second {
			t.Errorf("it took %s", took)
		}
		group.Wait()
	})
}

// TestTenThousandJunkTokensOverTheNetwork tests the whole server.
func TestTenThousandJunkTokensOverTheNetwork(t *testing.T) {
	lines, reviews := &logLines{}, &slowReviews{takes: time.Millisecond}
	config := secure(Config{})
	config.TokenReviews, config.AccessReviews = reviews, allAllowed{}
	server := startIn(t, lines.context(t), config)
	url := "https://" + server.MetricsAddr().String() + "/metrics"
	open := func() *http.Client {
		return newClient(t, &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true})
	}
	scraper, stranger := open(), open()
	good := http.Header{"Authorization": {"Bearer good"}}
	if response, _ := get(t, scraper, url, good); response.StatusCode != http.StatusOK {
		t.Fatalf("status %d before the flood", response.StatusCode)
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range maxConcurrentStreams / 2 {
		group.Go(func() {
			for i := next.Add(1); i <= 10_000; i = next.Add(1) {
				header := http.Header{"Authorization": {fmt.Sprint("Bearer junk", i)}}
				if response, _ := get(t, stranger, url, header); response.StatusCode == http.StatusOK {
					t.Error("junk was let in")
				}
				if i%100 == 0 {
					if response, _ := get(t, scraper, url, good); response.StatusCode != http.StatusOK {
						t.Errorf("a scrape got status %d", response.StatusCode)
					}
				}
			}
		})
	}
	group.Wait()
	if most := reviews.most.Load(); most > concurrentReviews {
		t.Errorf("%d concurrent reviews, want at most %d", most, concurrentReviews)
	}
	if got := lines.containing(""); len(got) > 3 {
		t.Errorf("%d log lines, want few: %q", len(got), got)
	}
}

func askFrom(guard *guard, client, token string) int {
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.RemoteAddr = client
	request.Header.Set("Authorization", "Bearer "+token)
	return guard.decide(request).status
}

func TestFailedConnectionsAreCountedAndNotRepeatedInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := &logLines{}
		connections := &connectionLog{logger: klog.FromContext(lines.context(t))}
		for i := range 10_000 {
			_, _ = fmt.Fprintf(connections, "http: TLS handshake error from 192.0.2.66:%d: secret", i)
			_, _ = fmt.Fprintf(connections, "http2: server: bogus greeting %q", "secret")
			connections.refused("192.0.2.66:1")
			time.Sleep(12 * time.Millisecond)
		}
		if got := lines.containing(""); len(got) != 6 {
			t.Errorf("%d lines in two minutes, want one a minute for each of three kinds: %q", len(got), got)
		}
		if got := lines.containing("secret"); len(got) > 0 {
			t.Errorf("the log repeats data of clients: %q", got)
		}
		_, _ = fmt.Fprint(connections, "http: panic serving 192.0.2.66:1: the reason\nstack")
		if got := lines.containing("the reason"); len(got) != 1 {
			t.Errorf("a panic is not logged in full")
		}
	})
}

// fromClient is a connection from a chosen address.
type fromClient struct {
	net.Conn
	client net.Addr
}

func (c fromClient) RemoteAddr() net.Addr { return c.client }

// listOfConnections is a listener that accepts its connections.
type listOfConnections struct {
	net.Listener
	left []net.Conn
}

func (l *listOfConnections) Accept() (net.Conn, error) {
	if len(l.left) == 0 {
		return nil, net.ErrClosed
	}
	next := l.left[0]
	l.left = l.left[1:]
	return next, nil
}

// accepted returns how many connections of each client are accepted.
func accepted(t *testing.T, listener *boundedListener) (byClient map[string]int, open []net.Conn) {
	t.Helper()
	byClient = map[string]int{}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return byClient, open
		}
		byClient[hostOf(connection.RemoteAddr().String())]++
		open = append(open, connection)
	}
}

func TestConnectionsAreBoundedForEachClientAndForAll(t *testing.T) {
	source := &listOfConnections{}
	from := func(client string, count int) {
		for i := range count {
			end, other := net.Pipe()
			t.Cleanup(func() { _ = other.Close() })
			source.left = append(source.left, fromClient{end, &net.TCPAddr{IP: net.ParseIP(client), Port: i + 1}})
		}
	}
	refused := 0
	listener := boundConnections(source, func(net.Addr) { refused++ })
	from("192.0.2.66", 1000)
	from("192.0.2.1", 2)
	got, open := accepted(t, listener)
	if diff := cmp.Diff(map[string]int{"192.0.2.66": maxConnectionsPerClient, "192.0.2.1": 2}, got); diff != "" {
		t.Errorf("one client floods (-want +got):\n%s", diff)
	}
	if refused != 1000-maxConnectionsPerClient {
		t.Errorf("%d were reported as refused", refused)
	}
	for i := range 10 {
		from(fmt.Sprint("192.0.2.", 100+i), maxConnectionsPerClient)
	}
	got, more := accepted(t, listener)
	total := len(open) + len(more)
	if total != maxConnections {
		t.Errorf("%d connections are open, want at most %d: %v", total, maxConnections, got)
	}
	for _, connection := range append(open, more...) {
		_ = connection.Close()
		_ = connection.Close() // a second close must not free a second place
	}
	if listener.total != 0 || len(listener.client) != 0 {
		t.Errorf("%d places are taken after all connections were closed, by %v", listener.total, listener.client)
	}
}

// TestIdleConnectionsDoNotKeepOthersOut tests the bound with a real socket.
func TestIdleConnectionsDoNotKeepOthersOut(t *testing.T) {
	server := start(t, Config{HealthAddress: anyPort})
	for range 3 * maxConnections {
		connection, err := net.Dial("tcp", server.HealthAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
	}
	// A connection beyond the bound is closed at once and not held.
	connection, err := net.Dial("tcp", server.HealthAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetReadDeadline(time.Now().Add(readHeaderTimeout / 2))
	if _, err := connection.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection beyond the bound ended with %v, want it closed at once", err)
	}
}
