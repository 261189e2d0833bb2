// Command peer runs on the VMs and in the Pods of make e2e.
//
//	peer pause
//	peer serve NAME ADDRESS
//
// With pause it keeps a Pod's namespaces. With serve it answers every request with its name
// and the time at which the request arrived, in nanoseconds since 1970. It uses only the
// standard library, so that its image stays small.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// headerTimeout limits how long a client that sends nothing keeps a connection.
const headerTimeout = 10 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "pause":
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
		<-end
		return nil
	case len(arguments) == 3 && arguments[0] == "serve":
		return serve(arguments[1], arguments[2])
	}
	return errors.New("usage: peer pause | peer serve NAME ADDRESS")
}

func serve(name, address string) error {
	server := http.Server{
		Addr:              address,
		ReadHeaderTimeout: headerTimeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "%s %d\n", name, time.Now().UnixNano())
		}),
	}
	return server.ListenAndServe()
}
