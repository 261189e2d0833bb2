package faults

import (
	"net/http"
	"testing"
	"time"
)

func TestWatchFaults(t *testing.T) {
	const everything = bookmarkEvent + addedEvent
	clearRules := func(proxy *Proxy, _ *upstream) { proxy.Clear() }
	endWatch := func(_ *Proxy, up *upstream) { up.end() }
	for name, test := range map[string]struct {
		fault Fault
		// first is received before the action, and all after it.
		first string
		do    func(*Proxy, *upstream)
		all   string
	}{
		"without a fault everything passes":          {Fault{}, everything, endWatch, everything},
		"duplicate sends events twice":               {Fault{Duplicate: true}, everything + addedEvent, endWatch, everything + addedEvent},
		"stall sends nothing until the rules change": {Fault{Stall: true}, "", clearRules, everything},
		"stall ends with the API server's watch":     {Fault{Stall: true}, "", endWatch, ""},
		"hold keeps events until the rules change":   {Fault{Hold: true}, bookmarkEvent, clearRules, everything},
		"hold ends with the API server's watch":      {Fault{Hold: true}, bookmarkEvent, endWatch, bookmarkEvent},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, up, client := startProxy(t)
			proxy.Set(Rule{Name: "fault", Match: Watches(), Fault: test.fault})
			pieces := watchThrough(t, proxy, client)
			got := ""
			for len(got) < len(test.first) {
				got += <-pieces
			}
			select {
			case more := <-pieces:
				t.Errorf("too early: %q", more)
			case <-time.After(50 * time.Millisecond):
			}
			test.do(proxy, up)
			for len(got) < len(test.all) {
				got += <-pieces
			}
			up.end()
			for piece := range pieces {
				got += piece
			}
			if got != test.all {
				t.Errorf("received %q, want %q", got, test.all)
			}
		})
	}
}

// watchThrough returns a channel of the data that a watch receives, closed at its end.
func watchThrough(t *testing.T, proxy *Proxy, client *http.Client) <-chan string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxy.Config().Host+configMaps+"?watch=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	pieces := make(chan string)
	go func() {
		defer close(pieces)
		defer response.Body.Close()
		for {
			piece := make([]byte, 1000)
			n, err := response.Body.Read(piece)
			if n > 0 {
				pieces <- string(piece[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	return pieces
}
