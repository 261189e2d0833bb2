package leadership

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answer is a transport that answers every request with success and records it.
type answer struct{ methods []string }

func (a *answer) RoundTrip(request *http.Request) (*http.Response, error) {
	a.methods = append(a.methods, request.Method)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("yes")), Request: request}, nil
}

func send(t *testing.T, through http.RoundTripper, method string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://server.example/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := through.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestWriteGate(t *testing.T) {
	closed, expired, held := &WriteGate{}, &WriteGate{}, &WriteGate{}
	expired.extend(time.Now().Add(-time.Nanosecond))
	held.extend(time.Now().Add(time.Hour))
	for name, test := range map[string]struct {
		gate   *WriteGate
		method string
		passes bool
	}{
		"a read without Lease":            {closed, http.MethodGet, true},
		"a HEAD without Lease":            {closed, http.MethodHead, true},
		"OPTIONS without Lease":           {closed, http.MethodOptions, true},
		"a POST without Lease":            {closed, http.MethodPost, false},
		"a PUT without Lease":             {closed, http.MethodPut, false},
		"a PATCH without Lease":           {closed, http.MethodPatch, false},
		"a DELETE without Lease":          {closed, http.MethodDelete, false},
		"an unknown method":               {closed, "MERGE", false},
		"a read after the Lease expired":  {expired, http.MethodGet, true},
		"a write after the Lease expired": {expired, http.MethodPut, false},
		"a write while the Lease is held": {held, http.MethodPut, true},
		"a write without leader election": {OpenWriteGate(), http.MethodPut, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := &answer{}
			err := send(t, test.gate.Guard(server), test.method)
			if passed := len(server.methods) == 1; passed != test.passes {
				t.Errorf("passed is %t, want %t", passed, test.passes)
			}
			if refused := errors.Is(err, ErrWriteGateClosed); refused == test.passes {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestWriteGateClosesWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &WriteGate{}
		gate.extend(time.Now().Add(15 * time.Second))
		guarded := gate.Guard(&answer{})
		<-time.After(15*time.Second - time.Nanosecond)
		if err := send(t, guarded, http.MethodPut); err != nil {
			t.Errorf("just before the end: %v", err)
		}
		<-time.After(time.Nanosecond)
		if err := send(t, guarded, http.MethodPut); !errors.Is(err, ErrWriteGateClosed) {
			t.Errorf("at the end: %v", err)
		}
	})
}

func TestWriteGateBreaksOffAWriteThatOutlastsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &WriteGate{}
		begin := time.Now()
		gate.extend(begin.Add(15 * time.Second))
		hanging := roundTripper(func(request *http.Request) (*http.Response, error) {
			<-request.Context().Done()
			return nil, context.Cause(request.Context())
		})
		if err := send(t, gate.Guard(hanging), http.MethodPut); !errors.Is(err, ErrWriteGateClosed) {
			t.Errorf("got error %v", err)
		}
		if took := time.Since(begin); took != 15*time.Second {
			t.Errorf("it was aborted after %s", took)
		}
	})
}

func TestAnswerCanBeReadAndFreesItsTimer(t *testing.T) {
	gate := &WriteGate{}
	gate.extend(time.Now().Add(time.Hour))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://server.example/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := gate.Guard(&answer{}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(response.Body); err != nil || string(text) != "yes" {
		t.Errorf("read %q, %v", text, err)
	}
	if err := response.Request.Context().Err(); err != nil {
		t.Errorf("before the body is closed: %v", err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if err := response.Request.Context().Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the body is closed: %v", err)
	}
}
