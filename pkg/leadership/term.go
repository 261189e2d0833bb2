package leadership

import (
	"context"
	"sync"
)

// term is the time during which this process leads.
type term struct {
	config Config
	lead   func(context.Context) error
	// stop is cancelled when the process should exit.
	stop context.Context

	mu      sync.Mutex
	begun   bool
	refused bool
	done    chan struct{}
	err     error
}

// begin runs the work until the Lease is lost or the process should exit. The elector
// calls it in a goroutine.
func (t *term) begin(held context.Context) {
	t.mu.Lock()
	refused := t.refused
	t.begun = !refused
	t.mu.Unlock()
	if refused {
		return
	}
	defer close(t.done)
	ctx, cancel := context.WithCancel(held)
	defer cancel()
	defer context.AfterFunc(t.stop, cancel)()

	t.notify(true)
	defer t.notify(false)
	t.err = t.lead(ctx)
}

// refuse prevents the work from starting, if it has not started yet. It reports whether
// it has started, and whether it still runs.
func (t *term) refuse() (begun, working bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = true
	if !t.begun {
		return false, false
	}
	select {
	case <-t.done:
		return true, false
	default:
		return true, true
	}
}

// end waits for the work to stop, and prevents it from starting if it has not.
func (t *term) end() {
	if begun, _ := t.refuse(); begun {
		<-t.done
	}
}

// mayRelease reports whether the Lease may be released: the work does not run, and will
// not start.
func (t *term) mayRelease() bool {
	_, working := t.refuse()
	return !working
}

// outcome waits for the work to stop and returns the result of the term.
func (t *term) outcome(ctx context.Context) error {
	t.end()
	if t.err == nil && ctx.Err() == nil {
		return ErrLost
	}
	return t.err
}

func (t *term) notify(leading bool) {
	if t.config.OnChange != nil {
		t.config.OnChange(leading)
	}
}
