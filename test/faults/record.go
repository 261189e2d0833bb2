package faults

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// Write is a write that reached the API server or that a rule refused.
type Write struct {
	// Started is the time at which the proxy had read it, Ended the time of the API server's
	// answer.
	Started, Ended time.Time
	Verb           string
	Resource       string
	Subresource    string
	Namespace      string
	Name           string
	// Manager is the client's field manager.
	Manager string
	// Code is the API server's status code.
	Code int
	// Before and After are the object's resourceVersion in the request and in the answer. If
	// they are equal, a successful update changed nothing.
	Before, After string
	// Lease is the Lease in the answer, for a write of a Lease.
	Lease *coordinationv1.Lease
	// Refused is true if a fault answered instead of the API server.
	Refused bool
	// Lost is true if a fault dropped the answer.
	Lost bool
}

// Succeeded reports whether the write took effect.
func (w Write) Succeeded() bool {
	return w.Code >= http.StatusOK && w.Code < http.StatusMultipleChoices
}

// BegunBesideOthers counts the chosen writes that began while another of them was in flight.
func BegunBesideOthers(writes []Write, chosen func(Write) bool) int {
	type edge struct {
		at     time.Time
		change int
	}
	var edges []edge
	for _, w := range writes {
		if chosen(w) && !w.Ended.IsZero() {
			edges = append(edges, edge{w.Started, 1}, edge{w.Ended, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.change, b.change)) })
	beside, now := 0, 0
	for _, e := range edges {
		if e.change > 0 && now > 0 {
			beside++
		}
		now += e.change
	}
	return beside
}

// recorder records the requests of a proxy.
type recorder struct {
	mu       sync.Mutex
	writes   []Write
	requests map[string]int
	hits     map[string]int
	// inFlight is the number of writes in flight now, and its maximum so far.
	inFlight, mostInFlight int
	// owed has the writes that the API server has not answered yet.
	owed map[chan struct{}]bool
}

func newRecorder() *recorder {
	return &recorder{requests: map[string]int{}, hits: map[string]int{}, owed: map[chan struct{}]bool{}}
}

func (r *recorder) request(parsed request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	verb := parsed.Verb
	switch {
	case parsed.Lists:
		verb = "list"
	case parsed.One:
		verb = "ask version of"
	}
	r.requests[verb+" "+parsed.Resource]++
}

func (r *recorder) hit(rule string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hits[rule]++
}

func (r *recorder) write(write Write) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, write)
}

// writing counts a write as in flight until the returned function is called.
func (r *recorder) writing() func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight++
	r.mostInFlight = max(r.mostInFlight, r.inFlight)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inFlight--
	}
}

// sending adds a write to owed until the returned function is called, which may be more than
// once.
func (r *recorder) sending() func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	answered := make(chan struct{})
	r.owed[answered] = true
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.owed, answered)
		close(answered)
	})
}

// allWrites waits for the answers that are owed now. A watch may already show the effect of
// such a write, so it must not be missing.
func (r *recorder) allWrites(atMost time.Duration) []Write {
	r.mu.Lock()
	owed := slices.Collect(maps.Keys(r.owed))
	r.mu.Unlock()
	timeout := time.After(atMost)
	for _, answered := range owed {
		select {
		case <-answered:
		case <-timeout:
			return r.recorded()
		}
	}
	return r.recorded()
}

func (r *recorder) recorded() []Write {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.writes)
}

func (r *recorder) allRequests() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.requests)
}

func (r *recorder) allHits() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.hits)
}

// decode decodes an object in any encoding of the clients. If client-go does not know the
// type, it returns only the metadata, and nil if there is no object.
func decode(body []byte) runtime.Object {
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err == nil {
		return object
	}
	metadata := &metav1.PartialObjectMetadata{}
	if json.Unmarshal(body, metadata) != nil {
		return nil
	}
	return metadata
}

func resourceVersion(object runtime.Object) string {
	if object == nil {
		return ""
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		return ""
	}
	return accessor.GetResourceVersion()
}
