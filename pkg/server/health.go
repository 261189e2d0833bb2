package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/klog/v2"
)

// checkTimeout bounds all checks of one request together.
const checkTimeout = 5 * time.Second

func handleHealth(mux *http.ServeMux, config Config) {
	mux.Handle("GET /livez", healthHandler("livez", config.Live))
	mux.Handle("GET /readyz", healthHandler("readyz", config.Ready))
}

// healthHandler runs all checks and answers 200, or 500 when one fails. The
// failing ones are always listed with their reasons, the others only with
// ?verbose.
func healthHandler(endpoint string, checks []Check) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithTimeout(request.Context(), checkTimeout)
		defer cancel()
		verbose := request.URL.Query().Has("verbose")
		var body strings.Builder
		failed := false
		for _, check := range checks {
			switch err := check.Check(ctx); {
			case err != nil:
				failed = true
				fmt.Fprintf(&body, "[-] %s: %v\n", check.Name, err)
			case verbose:
				fmt.Fprintf(&body, "[+] %s: ok\n", check.Name)
			}
		}
		response.Header().Set("Content-Type", "text/plain; charset=utf-8")
		response.Header().Set("X-Content-Type-Options", "nosniff")
		response.Header().Set("Cache-Control", "no-store")
		if failed {
			klog.FromContext(ctx).V(1).Info("Health check failed", "endpoint", endpoint, "checks", body.String())
			fmt.Fprintf(&body, "%s: failed\n", endpoint)
			response.WriteHeader(http.StatusInternalServerError)
		} else {
			body.WriteString("ok\n")
		}
		_, _ = response.Write([]byte(body.String())) // the asker is gone when this fails
	})
}
