package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// apiServer answers what register asks for: a ready workload, and a token.
type apiServer struct {
	*httptest.Server
	token string
	// refuse is the status of all answers, if it is not zero.
	refuse, refuseToken int
	// workload is the stored object, and lists holds those that a list finds.
	workload, lists string
	// events are what a watch sends before it hangs; refuseWatch is its status if not
	// zero.
	events      string
	refuseWatch int

	mu       sync.Mutex
	requests []string
	// lifetimes are those of the requested tokens.
	lifetimes []time.Duration
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{workload: invitedWorkload, lists: invitedWorkload}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

const invitedWorkload = `{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload",
	"metadata":{"name":"vm-1","namespace":"shop","annotations":{"external-workload.io/invited-cidrs":"10.20.0.0/16"}},
	"spec":{"meshTLS":{"identity":"vm-1","serverName":"vm-1"},"workloadIPs":[{"ip":"10.20.0.7"}]},
	"status":{"conditions":[{"type":"Ready","status":"True"}]}}`

// ServeHTTP implements [http.Handler].
func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") != "" {
		s.serveWatch(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
	w.Header().Set("Content-Type", "application/json")
	status, isToken := s.refuse, strings.HasSuffix(r.URL.Path, "/token")
	if isToken && status == 0 {
		status = s.refuseToken
	}
	switch {
	case status != 0:
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": http.StatusText(status), "message": "refused"})
	case isToken:
		s.lifetimes = append(s.lifetimes, requestedLifetime(r))
		fmt.Fprintf(w, `{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","status":{"token":%q}}`, s.token)
	case strings.HasSuffix(r.URL.Path, "/vm-1"):
		fmt.Fprint(w, s.workload)
	default:
		fmt.Fprintf(w, `{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkloadList","items":[%s]}`, s.lists)
	}
}

// requestedLifetime reads a TokenRequest, and returns 0 for anything else.
func requestedLifetime(r *http.Request) time.Duration {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return 0
	}
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	request, ok := decoded.(*authenticationv1.TokenRequest)
	if err != nil || !ok || request.Spec.ExpirationSeconds == nil {
		return 0
	}
	return time.Duration(*request.Spec.ExpirationSeconds) * time.Second
}

func (s *apiServer) serveWatch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if s.refuseWatch != 0 {
		w.WriteHeader(s.refuseWatch)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q}`, s.refuseWatch, http.StatusText(s.refuseWatch))
		return
	}
	fmt.Fprint(w, s.events)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// newRegistrar makes one for a machine with an address, at a time.
func newRegistrar(t *testing.T, server *apiServer, token string, now time.Time) (*registrar, *bytes.Buffer) {
	t.Helper()
	stderr := &bytes.Buffer{}
	p := &program{streams: streams{out: &bytes.Buffer{}, err: stderr}}
	p.kubeconfig = machineKubeconfig(t, server.URL, token, server.Certificate())
	return &registrar{
		program: p, flags: registerFlags{timeout: time.Minute, interval: time.Millisecond, tokenLifetime: 1000 * time.Second, readiness: true},
		now: func() time.Time { return now },
		find: func(context.Context, string) ([]netip.Addr, []netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.20.0.7")}, nil, nil
		},
	}, stderr
}

func TestTheTokenIsRenewedAtHalfItsLife(t *testing.T) {
	start := time.Unix(100000, 0)
	token := func(lifetime time.Duration) string { return machineToken("vm-1", start, start.Add(lifetime)) }
	for sentence, test := range map[string]struct {
		lifetime time.Duration
		started  bool
		at       time.Duration
		renewed  bool
	}{
		"before half of its life":                        {1000 * time.Second, true, 499 * time.Second, false},
		"at half of its life":                            {1000 * time.Second, true, 500 * time.Second, true},
		"on the start, with the token of the invitation": {600 * time.Second, false, 0, true},
		"later, if the API server shortens its lifetime": {600 * time.Second, true, time.Second, false},
		"on the start, with the requested lifetime":      {1000 * time.Second, false, 0, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := newAPIServer(t)
			server.token = machineToken("vm-1", start, start.Add(5000*time.Second))
			r, _ := newRegistrar(t, server, token(test.lifetime), start.Add(test.at))
			r.renewal.replaced = test.started
			if err := r.round(t.Context()); err != nil || r.renewal.failure != nil {
				t.Fatal(err, r.renewal.failure)
			}
			kept, err := r.credential()
			if err != nil {
				t.Fatal(err)
			}
			if renewed := kept.Lifetime() == 5000*time.Second; renewed != test.renewed {
				t.Errorf("renewed %v, want %v; requests %v", renewed, test.renewed, server.requests)
			}
		})
	}
}

func TestARefusedRenewalDoesNotKeepTheMachineFromRegistering(t *testing.T) {
	start := time.Unix(100000, 0)
	server := newAPIServer(t)
	server.refuseToken = http.StatusForbidden
	r, _ := newRegistrar(t, server, machineToken("vm-1", start, start.Add(600*time.Second)), start)
	r.flags.ips = []string{"10.20.0.8"}
	if err := r.round(t.Context()); err != nil {
		t.Error(err)
	}
	if r.renewal.failure == nil || !strings.Contains(r.renewal.failure.Error(), "cannot renew the token, which expires at 1970-01-02T03:56:40Z") {
		t.Errorf("the renewal's error is %v", r.renewal.failure)
	}
	if diff := cmp.Diff([]string{"GET vm-1", "POST token", "PATCH vm-1", "GET externalworkloads"}, server.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestTokensAreRequestedRarely counts the requests of a machine that checks its token
// every 30 s and has no address, so it can never register.
func TestTokensAreRequestedRarely(t *testing.T) {
	start := time.Unix(100000, 0)
	const granted = 600 * time.Second
	for sentence, test := range map[string]struct {
		refuse   int
		lifetime time.Duration
		rounds   int
		// want are the seconds after the start at which tokens are requested.
		want []int
	}{
		"an API server that grants less than requested": {0, granted, 21, []int{0, 300, 600}},
		"an API server that refuses":                    {http.StatusForbidden, 900 * time.Second, 21, []int{0, 30, 90, 210, 390, 540}},
		"a refusal near the end of the token":           {http.StatusForbidden, 120 * time.Second, 4, []int{0, 30, 60, 90}},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := newAPIServer(t)
			server.refuseToken = test.refuse
			now := start
			r, stderr := newRegistrar(t, server, machineToken("vm-1", start, start.Add(test.lifetime)), start)
			r.now = func() time.Time { return now }
			r.flags.interval = 30 * time.Second
			r.find = func(context.Context, string) ([]netip.Addr, []netip.Addr, error) { return nil, nil, nil }
			var at []int
			for range test.rounds {
				server.token, server.requests = machineToken("vm-1", now, now.Add(granted)), nil
				r.report(r.round(t.Context()), r.renewal.failure)
				if slices.Contains(server.requests, "POST token") {
					at = append(at, int(now.Sub(start).Seconds()))
				}
				now = now.Add(30 * time.Second)
			}
			if diff := cmp.Diff(test.want, at); diff != "" {
				t.Errorf("seconds of requests (-want +got):\n%s", diff)
			}
			if got := strings.Count(stderr.String(), "cannot renew"); got > 1 {
				t.Errorf("the failure is reported %d times, want once:\n%s", got, stderr)
			}
		})
	}
}

// TestADeletionEndsTheWait has a timeout of a minute, which no case waits for.
func TestADeletionEndsTheWait(t *testing.T) {
	notReady := strings.ReplaceAll(invitedWorkload, `"status":"True"`, `"status":"False"`)
	deleting := strings.ReplaceAll(notReady, `"namespace":"shop"`, `"namespace":"shop","deletionTimestamp":"2026-01-01T00:00:00Z"`)
	const again = "ask an administrator for a new one: kubectl external-workload invite vm-1 -n shop"
	for sentence, test := range map[string]struct {
		lists, events string
		refuseWatch   int
		want          string
	}{
		"deleted while it waits":          {notReady, `{"type":"DELETED","object":` + notReady + `}`, 0, "the ExternalWorkload vm-1 was deleted, and its invitation with it; " + again},
		"deleted before it waits":         {"", "", 0, "the ExternalWorkload vm-1 was deleted, and its invitation with it; " + again},
		"being deleted, with a finalizer": {notReady, `{"type":"MODIFIED","object":` + deleting + `}`, 0, "the ExternalWorkload vm-1 is being deleted, and its invitation with it; " + again},
		"its permissions end first":       {notReady, "", http.StatusForbidden, "it was revoked, or the object is gone; " + again},
	} {
		t.Run(sentence, func(t *testing.T) {
			start := time.Unix(100000, 0)
			server := newAPIServer(t)
			server.workload, server.lists, server.events, server.refuseWatch = notReady, test.lists, test.events, test.refuseWatch
			r, _ := newRegistrar(t, server, machineToken("vm-1", start, start.Add(1000*time.Second)), start)
			began := time.Now()
			err := r.round(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if waited := time.Since(began); waited > r.flags.timeout/2 {
				t.Errorf("it has waited for %s", waited)
			}
		})
	}
}

func TestTheTokenOfAnotherAccountIsNotKept(t *testing.T) {
	start := time.Unix(100000, 0)
	server := newAPIServer(t)
	server.token = machineToken("vm-2", start, start.Add(5000*time.Second))
	r, _ := newRegistrar(t, server, machineToken("vm-1", start, start.Add(600*time.Second)), start)
	if err := r.round(t.Context()); err != nil || r.renewal.failure == nil {
		t.Errorf("round: %v, renewal: %v; want an error of the renewal", err, r.renewal.failure)
	}
	if kept, err := r.credential(); err != nil || kept.Workload != "vm-1" {
		t.Errorf("the kubeconfig has the token of %q (%v)", kept.Workload, err)
	}
}

func TestErrorIsReportedOnceUntilItEnds(t *testing.T) {
	r, stderr := newRegistrar(t, newAPIServer(t), "", time.Now())
	for _, err := range []error{errors.New("a"), errors.New("a"), nil, errors.New("a"), errors.New("b"), errNotServed} {
		r.report(err)
	}
	if diff := cmp.Diff("error: a\nerror: a\nerror: b\n", stderr.String()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// A machine may not read EndpointSlices, so it cannot know what Services do.
func TestRegisterSaysNoMoreThanItKnows(t *testing.T) {
	start := time.Unix(100000, 0)
	server := newAPIServer(t)
	r, _ := newRegistrar(t, server, machineToken("vm-1", start, start.Add(1000*time.Second)), start)
	var stdout bytes.Buffer
	r.out = &stdout
	if err := r.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = `externalworkload/vm-1 is registered at 10.20.0.7 already
externalworkload/vm-1 is ready at 10.20.0.7 (set by another writer, since it has neither a probe nor a declaration)
to see which Services serve it, an administrator runs: kubectl external-workload why vm-1 -n shop
`
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestWhyAMachineIsNotReady(t *testing.T) {
	parse := func(change func(*v1beta1.ExternalWorkload)) *v1beta1.ExternalWorkload {
		w := &v1beta1.ExternalWorkload{}
		if err := json.Unmarshal([]byte(invitedWorkload), w); err != nil {
			t.Fatal(err)
		}
		change(w)
		return w
	}
	for sentence, test := range map[string]struct {
		workload *v1beta1.ExternalWorkload
		// options are those of the controller.
		options desired.Options
		ready   int
		want    string
	}{
		"a ready machine": {parse(func(*v1beta1.ExternalWorkload) {}), desired.Options{}, 1, ""},
		"no condition":    {parse(func(w *v1beta1.ExternalWorkload) { w.Status.Conditions = nil }), desired.Options{}, 0, "it has no condition Ready yet"},
		"a drain":         {parse(func(w *v1beta1.ExternalWorkload) { w.Annotations[v1beta1.DrainAnnotation] = "x" }), desired.Options{}, 0, "it is drained (x)"},
		"a failed probe": {parse(func(w *v1beta1.ExternalWorkload) {
			w.Status.Conditions[0].Status, w.Status.Conditions[0].Reason = "False", "ProbeFailed"
		}), desired.Options{}, 0, "Ready is False (ProbeFailed)"},
		"another proven place":                           {parse(func(w *v1beta1.ExternalWorkload) { w.Annotations[v1beta1.ProbeAnnotation] = "{}" }), desired.Options{}, 0, "have not passed the probe"},
		"no proof, and a controller that does not probe": {parse(func(w *v1beta1.ExternalWorkload) { w.Annotations[v1beta1.ProbeAnnotation] = "{}" }), desired.Options{IgnoreProbes: true}, 1, ""},
		"no address": {parse(func(w *v1beta1.ExternalWorkload) { w.Spec.WorkloadIPs = nil }), desired.Options{}, 0, "it has no address"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := readyAddresses(test.workload, test.options); len(got) != test.ready {
				t.Errorf("ready at %v", got)
			}
			if got := notReadyText(test.workload); test.ready == 0 && !strings.Contains(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
