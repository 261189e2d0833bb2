package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// upstream replaces an API server: a watch gets a bookmark and an event and ends on request;
// every other request gets its own body back.
type upstream struct {
	writes  atomic.Int32
	watches context.Context
	end     context.CancelFunc
}

const (
	addedEvent    = `{"type":"ADDED","object":{"n":1}}` + "\n"
	bookmarkEvent = `{"type":"BOOKMARK","object":{}}` + "\n"
)

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") == "true" {
		fmt.Fprint(w, bookmarkEvent+addedEvent)
		flush(w)
		<-u.watches.Done()
		return
	}
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodGet {
		u.writes.Add(1)
		_, _ = w.Write(body)
		return
	}
	fmt.Fprint(w, strings.Repeat("x", 100))
}

func startProxy(t *testing.T) (*Proxy, *upstream, *http.Client) {
	t.Helper()
	up := &upstream{}
	up.watches, up.end = context.WithCancel(t.Context())
	server := httptest.NewServer(up)
	t.Cleanup(server.Close)
	proxy, client := proxyTo(t, server.URL)
	return proxy, up, client
}

// proxyTo starts a proxy for the server of that address, and returns it with a client.
func proxyTo(t *testing.T, address string) (*Proxy, *http.Client) {
	t.Helper()
	proxy, err := NewProxy(t.Context(), &rest.Config{Host: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	transport, err := rest.TransportFor(proxy.Config())
	if err != nil {
		t.Fatal(err)
	}
	return proxy, &http.Client{Transport: transport}
}

const (
	configMaps = "/api/v1/namespaces/shop/configmaps"
	configMap  = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"shop","resourceVersion":"7"}}`
)

func do(ctx context.Context, t *testing.T, proxy *Proxy, client *http.Client, method, path, body string) (*http.Response, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, proxy.Config().Host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response, string(answer), err
}

func TestWithoutRulesEverythingPasses(t *testing.T) {
	proxy, _, client := startProxy(t)
	response, body, err := do(t.Context(), t, proxy, client, http.MethodPut, configMaps+"/a?fieldManager=me", configMap)
	if err != nil || response.StatusCode != http.StatusOK || body != configMap {
		t.Fatalf("got %v, %q, %v", response, body, err)
	}
	if response.ProtoMajor != 2 {
		t.Errorf("the proxy speaks HTTP/%d, the API server HTTP/2", response.ProtoMajor)
	}
	writes := proxy.Writes()
	if len(writes) != 1 {
		t.Fatalf("%d writes recorded, want 1", len(writes))
	}
	got := writes[0]
	if got.Verb != "update" || got.Resource != "configmaps" || got.Namespace != "shop" || got.Name != "a" || got.Manager != "me" ||
		got.Before != "7" || got.After != "7" || !got.Succeeded() || got.Lost {
		t.Errorf("recorded %+v", got)
	}
}

func TestStatusIsAnsweredInPlaceOfTheServer(t *testing.T) {
	proxy, up, client := startProxy(t)
	proxy.Set(Rule{Name: "busy", Times: 1, Match: Writes(), Fault: Fault{Status: http.StatusTooManyRequests, RetryAfter: 3 * time.Second}})
	response, _, err := do(t.Context(), t, proxy, client, http.MethodPut, configMaps+"/a", configMap)
	if err != nil || response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "3" {
		t.Fatalf("got %v, %v", response, err)
	}
	if up.writes.Load() != 0 {
		t.Error("the refused write reached the server")
	}
	if response, _, err = do(t.Context(), t, proxy, client, http.MethodPut, configMaps+"/a", configMap); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("after the rule is used up: %v, %v", response, err)
	}
	if proxy.Hits()["busy"] != 1 {
		t.Errorf("hits %v", proxy.Hits())
	}
}

func TestMatchSelects(t *testing.T) {
	proxy, _, client := startProxy(t)
	proxy.Set(Rule{Name: "other", Match: Match{Namespace: "other"}, Fault: Fault{Status: http.StatusForbidden}})
	for path, want := range map[string]int{
		configMaps:                              http.StatusOK,
		"/api/v1/namespaces/other/configmaps/a": http.StatusForbidden,
	} {
		if response, _, err := do(t.Context(), t, proxy, client, http.MethodGet, path, ""); err != nil || response.StatusCode != want {
			t.Errorf("%s: %v, %v, want %d", path, response, err, want)
		}
	}
}

func TestTheReplyToAWriteThatTookEffectIsLost(t *testing.T) {
	for _, how := range []LostReply{ReplyReset, ReplyTimeout, ReplyNever} {
		t.Run(string(how), func(t *testing.T) {
			proxy, up, client := startProxy(t)
			proxy.Set(Rule{Name: "lost", Match: Writes(), Fault: Fault{LostReply: how}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			response, _, err := do(ctx, t, proxy, client, http.MethodPost, configMaps, configMap)
			if how == ReplyTimeout {
				if err != nil || response.StatusCode != http.StatusGatewayTimeout {
					t.Errorf("got %v, %v", response, err)
				}
			} else if err == nil {
				t.Error("the client got an answer")
			}
			if up.writes.Load() != 1 || len(proxy.Writes()) != 1 || !proxy.Writes()[0].Lost {
				t.Errorf("%d writes took effect, recorded %+v", up.writes.Load(), proxy.Writes())
			}
		})
	}
}

func TestAWriteThatIsNotYetAnsweredIsWaitedFor(t *testing.T) {
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		_ = wait(r.Context(), 50*time.Millisecond)
		fmt.Fprint(w, configMap)
	}))
	t.Cleanup(server.Close)
	proxy, client := proxyTo(t, server.URL)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = do(t.Context(), t, proxy, client, http.MethodPut, configMaps+"/a", configMap)
	}()
	<-arrived
	if writes := proxy.Writes(); len(writes) != 1 {
		t.Errorf("%d writes recorded, want the one that the server has", len(writes))
	}
	<-ended
}

func TestResetEndsTheRequestBeforeTheServer(t *testing.T) {
	proxy, up, client := startProxy(t)
	proxy.Set(Rule{Name: "reset", Match: Writes(), Fault: Fault{Reset: true}})
	if _, _, err := do(t.Context(), t, proxy, client, http.MethodPost, configMaps, configMap); err == nil || up.writes.Load() != 0 {
		t.Errorf("error %v, %d writes", err, up.writes.Load())
	}
}

func TestRewriteChangesWhatTheServerGets(t *testing.T) {
	proxy, _, client := startProxy(t)
	proxy.Set(Rule{Name: "rewrite", Match: Writes("configmaps"), Fault: Fault{Rewrite: func(object runtime.Object) {
		object.(*corev1.ConfigMap).Data = map[string]string{"changed": "yes"}
	}}})
	_, body, err := do(t.Context(), t, proxy, client, http.MethodPost, configMaps, configMap)
	if err != nil {
		t.Fatal(err)
	}
	var got corev1.ConfigMap
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.Data["changed"] != "yes" {
		t.Errorf("the server got %s, %v", body, err)
	}
}

func TestDelayAndSlowReplyTakeTheirTime(t *testing.T) {
	const pause = 50 * time.Millisecond
	for name, fault := range map[string]Fault{"delay": {Delay: pause}, "slow": {SlowReply: pause}} {
		t.Run(name, func(t *testing.T) {
			proxy, _, client := startProxy(t)
			proxy.Set(Rule{Name: name, Fault: fault})
			started := time.Now()
			_, body, err := do(t.Context(), t, proxy, client, http.MethodGet, configMaps, "")
			if err != nil || len(body) != 100 || time.Since(started) < pause {
				t.Errorf("%d bytes after %s, %v", len(body), time.Since(started), err)
			}
		})
	}
}

func TestAFrozenProxyLetsNothingPassUntilItThaws(t *testing.T) {
	proxy, _, client := startProxy(t)
	proxy.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := do(ctx, t, proxy, client, http.MethodGet, configMaps, ""); err == nil {
		t.Error("a request passed while frozen")
	}
	proxy.Thaw()
	if _, _, err := do(t.Context(), t, proxy, client, http.MethodGet, configMaps, ""); err != nil {
		t.Errorf("after the thaw: %v", err)
	}
}

func TestAHalfOpenConnectionStaysSilentAndNewOnesWork(t *testing.T) {
	proxy, _, client := startProxy(t)
	if _, _, err := do(t.Context(), t, proxy, client, http.MethodGet, configMaps, ""); err != nil {
		t.Fatal(err)
	}
	proxy.HalfOpen()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := do(ctx, t, proxy, client, http.MethodGet, configMaps, ""); err == nil {
		t.Error("the dead connection answered")
	}
	client.CloseIdleConnections()
	fresh := &http.Client{Transport: mustTransport(t, proxy)}
	if _, _, err := do(t.Context(), t, proxy, fresh, http.MethodGet, configMaps, ""); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

func mustTransport(t *testing.T, proxy *Proxy) http.RoundTripper {
	t.Helper()
	config := proxy.Config()
	config.Dial = (&net.Dialer{}).DialContext
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}
