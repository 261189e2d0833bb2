package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/klog/v2"
)

// checkTimeout is the timeout of all checks of one request together.
const checkTimeout = 5 * time.Second

func handleHealth(mux *http.ServeMux, config Config) {
	mux.Handle("GET /livez", healthHandler("livez", config.Live))
	mux.Handle("GET /readyz", healthHandler("readyz", config.Ready))
}

// healthHandler runs all checks and answers 200, or 500 if one fails. It lists the
// failing checks, and with ?verbose also the others, in the format of Kubernetes
// components. Reasons are only logged, because any client that reaches the port may
// ask.
func healthHandler(endpoint string, checks []Check) http.Handler {
	failures := make([]limiter, len(checks))
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithTimeout(request.Context(), checkTimeout)
		defer cancel()
		verbose := request.URL.Query().Has("verbose")
		var body strings.Builder
		failed := false
		for i, check := range checks {
			switch err := check.Check(ctx); {
			case err != nil:
				failed = true
				fmt.Fprintf(&body, "[-]%s failed: reason withheld\n", check.Name)
				if count := failures[i].happened(); count > 0 {
					klog.FromContext(ctx).Info("Health check failed", "endpoint", endpoint, "check", check.Name, "reason", err.Error(), "count", count)
				}
			case verbose:
				fmt.Fprintf(&body, "[+]%s ok\n", check.Name)
			}
		}
		status, last := http.StatusOK, "ok"
		if failed {
			status, last = http.StatusInternalServerError, endpoint+" check failed"
		}
		body.WriteString(last + "\n")
		response.Header().Set("Content-Type", "text/plain; charset=utf-8")
		response.Header().Set("X-Content-Type-Options", "nosniff")
		response.Header().Set("Cache-Control", "no-store")
		response.WriteHeader(status)
		_, _ = response.Write([]byte(body.String())) // the asker is gone when this fails
	})
}
