package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServeHTTP applies the fault of a request and forwards it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parsed := parseRequest(r)
	p.recorder.request(parsed)
	if parsed.isWrite() {
		defer p.recorder.writing()()
	}
	rule, rules, faulty := p.choose(parsed)
	if faulty {
		p.recorder.hit(rule.Name)
	}
	fault := rule.Fault
	if !wait(r.Context(), fault.Delay) {
		return
	}
	if fault.Reset {
		resetClient(r)
	}
	if fault.Status != 0 {
		p.refuseAndRecord(w, parsed, fault)
		return
	}
	p.forward(w, r, parsed, fault, rules)
}

// forward sends a request to the API server and returns its answer to the client.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, parsed request, fault Fault, rules *ruleSet) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	contentType := r.Header.Get("Content-Type")
	if fault.Rewrite != nil {
		body, contentType = rewrite(body, contentType, fault)
	}
	ctx := r.Context()
	if fault.LostReply != "" {
		// The request must take effect even if the client gives up.
		ctx = context.WithoutCancel(ctx)
	}
	answered := func() {}
	if parsed.isWrite() {
		answered = p.recorder.sending()
	}
	defer answered()
	started := time.Now()
	response, err := p.send(ctx, r, body, contentType)
	if err != nil {
		resetClient(r)
	}
	defer response.Body.Close()
	if parsed.Verb == verbWatch {
		p.streamWatch(w, r, response, fault, rules)
		return
	}
	p.reply(w, r, response, exchange{parsed: parsed, body: body, fault: fault, started: started, answered: answered})
}

// exchange is a request with its answer.
type exchange struct {
	parsed  request
	body    []byte
	fault   Fault
	started time.Time
	// answered is called once the answer is recorded.
	answered func()
}

func (p *Proxy) send(ctx context.Context, r *http.Request, body []byte, contentType string) (*http.Response, error) {
	target := *r.URL
	target.Scheme, target.Host = p.target.Scheme, p.target.Host
	out, err := http.NewRequestWithContext(ctx, r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("forwarding %s %s: %w", r.Method, r.URL.Path, err)
	}
	out.Header = r.Header.Clone()
	out.Header.Del("Connection")
	// The transport would forward a compressed body unchanged, which the proxy could not read.
	out.Header.Set("Accept-Encoding", "identity")
	if contentType != "" {
		out.Header.Set("Content-Type", contentType)
	}
	out.ContentLength = int64(len(body))
	return p.transport.RoundTrip(out)
}

func (p *Proxy) reply(w http.ResponseWriter, r *http.Request, response *http.Response, e exchange) {
	answer, err := io.ReadAll(response.Body)
	if e.parsed.isWrite() {
		p.recorder.write(writeOf(r, response.StatusCode, answer, e))
	}
	e.answered()
	if err != nil {
		resetClient(r)
	}
	switch e.fault.LostReply {
	case ReplyReset:
		resetClient(r)
	case ReplyTimeout:
		refuse(w, http.StatusGatewayTimeout, 0)
		return
	case ReplyNever:
		<-r.Context().Done()
		return
	}
	maps.Copy(w.Header(), response.Header)
	w.Header().Del("Connection")
	w.WriteHeader(response.StatusCode)
	send(w, r, answer, e.fault.SlowReply)
}

// refuseAndRecord answers instead of the API server.
func (p *Proxy) refuseAndRecord(w http.ResponseWriter, parsed request, fault Fault) {
	if parsed.isWrite() {
		now := time.Now()
		p.recorder.write(Write{
			Started: now, Ended: now, Verb: parsed.Verb, Resource: parsed.Resource, Subresource: parsed.Subresource,
			Namespace: parsed.Namespace, Name: parsed.Name, Code: fault.Status, Refused: true,
		})
	}
	refuse(w, fault.Status, fault.RetryAfter)
}

func writeOf(r *http.Request, code int, answer []byte, e exchange) Write {
	object := decode(answer)
	after := resourceVersion(object)
	if e.parsed.Verb == "delete" {
		// The answer to a deletion is the deleted object.
		after = ""
	}
	lease, _ := object.(*coordinationv1.Lease)
	return Write{
		Started: e.started, Ended: time.Now(),
		Verb: e.parsed.Verb, Resource: e.parsed.Resource, Subresource: e.parsed.Subresource,
		Namespace: e.parsed.Namespace, Name: e.parsed.Name,
		Manager: r.URL.Query().Get("fieldManager"),
		Code:    code,
		Before:  resourceVersion(decode(e.body)), After: after,
		Lease: lease,
		Lost:  e.fault.LostReply != "",
	}
}

// send writes the body, spread over a time if one is given.
func send(w http.ResponseWriter, r *http.Request, body []byte, over time.Duration) {
	const pieces = 20
	if over == 0 {
		_, _ = w.Write(body)
		return
	}
	size := max(1, (len(body)+pieces-1)/pieces)
	for len(body) > 0 {
		piece := body[:min(size, len(body))]
		body = body[len(piece):]
		if _, err := w.Write(piece); err != nil {
			return
		}
		flush(w)
		if !wait(r.Context(), over/pieces) {
			return
		}
	}
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// wait returns false if the client gave up before.
func wait(ctx context.Context, duration time.Duration) bool {
	if duration == 0 {
		return true
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// resetClient resets the client's connection and leaves the handler.
func resetClient(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		c.reset()
	}
	panic(http.ErrAbortHandler)
}

func refuse(w http.ResponseWriter, code int, retryAfter time.Duration) {
	reasons := map[int]metav1.StatusReason{
		http.StatusGone: metav1.StatusReasonExpired, http.StatusForbidden: metav1.StatusReasonForbidden, http.StatusNotFound: metav1.StatusReasonNotFound,
		http.StatusConflict: metav1.StatusReasonConflict, http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests,
		http.StatusInternalServerError: metav1.StatusReasonInternalError,
		http.StatusServiceUnavailable:  metav1.StatusReasonServiceUnavailable, http.StatusGatewayTimeout: metav1.StatusReasonTimeout,
	}
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reasons[code],
		Message: "injected: " + strings.ToLower(http.StatusText(code)),
	}
	if retryAfter > 0 {
		seconds := int(retryAfter / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(seconds)}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A disconnected client needs no answer.
	_ = json.NewEncoder(w).Encode(status)
}

// rewrite changes the object in a request and returns it as JSON. A body of a type that
// client-go does not know stays unchanged.
func rewrite(body []byte, contentType string, fault Fault) ([]byte, string) {
	object := decode(body)
	if object == nil {
		return body, contentType
	}
	if _, unknown := object.(*metav1.PartialObjectMetadata); unknown {
		return body, contentType
	}
	fault.Rewrite(object)
	changed, err := json.Marshal(object)
	if err != nil {
		panic(fmt.Sprintf("encoding a rewritten %T: %v", object, err))
	}
	return changed, "application/json"
}
