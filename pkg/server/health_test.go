package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHealth(t *testing.T) {
	good := Check{"queue", func(context.Context) error { return nil }}
	bad := Check{"caches", func(context.Context) error { return errors.New("services are not listed yet") }}
	hanging := Check{"election", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		checks []Check
		ctx    context.Context
		query  string
		status int
		body   string
	}{
		"no checks": {status: 200, body: "ok\n"},
		"good":      {checks: []Check{good}, status: 200, body: "ok\n"},
		"good, in full": {
			checks: []Check{good}, query: "?verbose", status: 200, body: "[+]queue ok\nok\n",
		},
		"one fails": {
			checks: []Check{good, bad}, status: 500, body: "[-]caches failed: reason withheld\nreadyz check failed\n",
		},
		"one fails, in full": {
			checks: []Check{bad, good}, query: "?verbose=true", status: 500,
			body: "[-]caches failed: reason withheld\n[+]queue ok\nreadyz check failed\n",
		},
		"the client does not wait": {
			checks: []Check{hanging}, ctx: gone, status: 500, body: "[-]election failed: reason withheld\nreadyz check failed\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			handleHealth(mux, Config{Ready: test.checks, Live: []Check{good}})
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			response := httptest.NewRecorder()
			mux.ServeHTTP(response, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz"+test.query, nil))
			if response.Code != test.status {
				t.Errorf("status %d, want %d", response.Code, test.status)
			}
			if diff := cmp.Diff(test.body, response.Body.String()); diff != "" {
				t.Errorf("unexpected body (-want +got):\n%s", diff)
			}

			live := httptest.NewRecorder()
			mux.ServeHTTP(live, httptest.NewRequest(http.MethodGet, "/livez", nil))
			if live.Code != http.StatusOK {
				t.Errorf("/livez answers %d, though only readiness fails", live.Code)
			}
		})
	}
}

func TestReasonsOfFailingChecksGoToTheLogOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := &logLines{}
		mux := http.NewServeMux()
		handleHealth(mux, Config{Ready: []Check{{"caches", func(context.Context) error { return errors.New("no list yet") }}}})
		for range 3 * 60 {
			mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(lines.context(t), http.MethodGet, "/readyz", nil))
			time.Sleep(time.Second)
		}
		if got := lines.containing("no list yet"); len(got) != 3 || !strings.Contains(got[1], `"count"=60`) {
			t.Errorf("the log has %q, want one line a minute with the count", got)
		}
	})
}
