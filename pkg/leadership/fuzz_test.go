package leadership

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// maxSteps bounds a script, so that each is played quickly.
const maxSteps = 40

// player plays a script of steps on a Lease with two candidates, us and them, and fails
// the test if we may write while they may lead.
type player struct {
	*testing.T
	lease *contested
	line  *line
	gate  *WriteGate
	lasts time.Duration
}

func newPlayer(t *testing.T, length byte) *player {
	lease := &contested{}
	// From the shortest duration that the program allows, also with fractions of seconds.
	lasts := time.Second + time.Duration(length)*100*time.Millisecond
	return &player{T: t, lease: lease, line: &line{lease: lease}, gate: &WriteGate{}, lasts: lasts}
}

// pass lets time pass and then checks.
func (p *player) pass(d time.Duration) {
	pass(d)
	p.check()
}

// times makes a duration from a script's byte.
func times(much byte, unit time.Duration) time.Duration { return time.Duration(much) * unit }

// surroundings performs a step of the environment, and reports whether it was one.
func (p *player) surroundings(what, much byte) bool {
	switch what {
	case 0:
		p.pass(times(much, 10*time.Millisecond))
	case 1:
		p.pass(times(much, 100*time.Millisecond))
	case 2: // to the first moment at which they may lead
		p.pass(time.Until(p.lease.free()))
	case 3:
		p.lease.taken()
	case 4:
		p.lease.givenBack()
	case 5:
		p.line.meet(int(much%4)+1, fate{lost: true})
	case 6:
		p.line.meet(int(much%4)+1, fate{unanswered: true})
	case 7:
		p.line.meet(1, fate{delay: times(much, 50*time.Millisecond)})
	case 8:
		p.line.freeze(times(much, 100*time.Millisecond))
	default:
		return false
	}
	return true
}

// check sends a write through the gate and over one of its connections.
func (p *player) check() {
	p.Helper()
	server := roundTripper(func(request *http.Request) (*http.Response, error) {
		end, limited := request.Context().Deadline()
		if !limited {
			p.Error("a write without a deadline")
		}
		if err := p.lease.mayWriteUntil(end); err != nil {
			p.Errorf("a write passes: %v", err)
		}
		return (&answer{}).RoundTrip(request)
	})
	_ = send(p.T, p.gate.Guard(server), http.MethodPut)
	wire := &wire{}
	_, _ = (&gatedConnection{Conn: wire, gate: p.gate}).Write([]byte("write"))
	if err := p.lease.mayWriteUntil(time.Now().Add(1)); wire.wrote && err != nil {
		p.Errorf("bytes pass: %v", err)
	}
}

// wire accepts every byte.
type wire struct {
	net.Conn
	wrote bool
}

// Write implements net.Conn.
func (w *wire) Write(content []byte) (int, error) {
	w.wrote = true
	return len(content), nil
}

// Close implements net.Conn.
func (w *wire) Close() error { return nil }

// steps are pairs of an operation and an amount.
func steps(script []byte, do func(what, much byte)) {
	for step := range slices.Chunk(script[:min(len(script), 2*maxSteps)], 2) {
		if len(step) == 2 {
			do(step[0], step[1])
		}
	}
}

// FuzzRun plays scripts with whole processes, one after the other: requests for the Lease
// are lost, late or unanswered, the process is frozen, terminated and restarted, and
// others acquire the Lease as soon as they may.
func FuzzRun(f *testing.F) {
	for _, script := range []string{
		"\x01\x64\x02\x00\x03\x00",                                 // led, then silence
		"\x01\x64\x05\x03\x01\x14\x01\x14\x02\x00\x03\x00\x01\x14", // renewals that fail
		"\x01\x64\x06\x00\x00\x0a\x06\x00\x02\x00\x03\x00",         // renewals that are not answered
		"\x01\x64\x07\xff\x01\xff\x02\x00\x03\x00\x01\xff",         // a renewal that hangs
		"\x01\x64\x08\xff\x02\x00\x03\x00\x01\xff\x0a\x00\x01\xff", // frozen, taken, thawed, started again
		"\x01\x64\x09\x40\x01\x20\x0a\x00\x01\x20",                 // asked to end, started again
		"\x03\x00\x01\x64\x03\x00\x04\x00\x01\x64",                 // others first
	} {
		for _, length := range []byte{0, 9, 20, 110} {
			f.Add(length, []byte(script))
		}
	}
	f.Fuzz(func(t *testing.T, length byte, script []byte) {
		synctest.Test(t, func(t *testing.T) {
			defer pass(time.Minute) // requests may still be in flight after their sender has ended
			p := newPlayer(t, length)
			running := p.run(0)
			defer func() { p.end(running) }()
			steps(script, func(what, much byte) {
				switch {
				case p.surroundings(what, much):
				case what == 9:
					running.end()
				case what == 10:
					p.end(running)
					running = p.run(times(much, 50*time.Millisecond))
				}
				synctest.Wait()
				p.check()
			})
		})
	})
}

// end terminates a process and waits for its end.
func (p *player) end(running *process) {
	p.Helper()
	running.end()
	if err := <-running.result; err != nil && !errors.Is(err, ErrLost) {
		p.Error(err)
	}
}

// run starts a process whose work takes some time to stop.
func (p *player) run(stopping time.Duration) *process {
	ctx, end := context.WithCancel(klog.NewContext(p.Context(), logr.Discard()))
	p.gate, p.line = &WriteGate{}, &line{lease: p.lease, answerTimeout: p.lasts / 3}
	running, gate, lock := &process{gate: p.gate, end: end, result: make(chan error, 1)}, p.gate, p.line
	go func() {
		running.result <- Run(ctx, Config{
			Lock: lock, LeaseDuration: p.lasts, RenewDeadline: p.lasts * 2 / 3, RetryPeriod: p.lasts / 6, WriteGate: gate,
		}, func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(stopping)
			return nil
		})
	}()
	return running
}

// FuzzLock calls the lock in any order, also in orders that the elector never uses.
func FuzzLock(f *testing.F) {
	for _, script := range []string{
		"\x0a\x00\x0b\x00\x0c\x00\x00\x0a\x0c\x00\x02\x00\x03\x00\x0c\x00", // created, left out, renewed, lost
		"\x0b\x00\x0d\x01\x0e\x00\x0c\x00\x0d\x00\x0e\x00",                 // given back too early, then in time
		"\x0b\x00\x06\x00\x0c\x00\x0c\x00\x0a\x00\x0c\x00\x02\x00\x03\x00", // not answered
		"\x0b\x00\x08\x80\x0c\x00\x03\x00\x0a\x00\x0e\x00",                 // frozen, then given back
	} {
		for _, length := range []byte{0, 9, 110} {
			f.Add(length, []byte(script))
		}
	}
	f.Fuzz(func(t *testing.T, length byte, script []byte) {
		synctest.Test(t, func(t *testing.T) {
			defer pass(time.Minute)
			p := newPlayer(t, length)
			p.lasts = wholeSeconds(p.lasts)
			p.line.answerTimeout = p.lasts / 3
			working := false
			lock := &gateLock{Interface: p.line, gate: p.gate, duration: p.lasts, mayRelease: func() bool { return !working }}
			steps(script, func(what, much byte) {
				switch {
				case p.surroundings(what, much):
				case what == 13:
					working = much > 0
				default:
					p.call(lock, what, working)
				}
				p.check()
			})
		})
	})
}

// call makes one request and checks its result.
func (p *player) call(lock *gateLock, what byte, working bool) {
	p.Helper()
	ours, vacant := p.lease.recordOf(us, p.lasts), p.lease.recordOf("", time.Second)
	before := p.line.sent()
	switch what {
	case 10:
		_, _, _ = lock.Get(p.Context())
	case 11:
		_ = lock.Create(p.Context(), ours)
	case 12:
		if err := lock.Update(p.Context(), ours); err == nil && p.line.sent() == before {
			p.leftOut()
		}
	case 14:
		_ = lock.Update(p.Context(), vacant)
		if working && p.line.sent() > before {
			p.Error("the Lease is released while the work continues")
		}
		if until, _ := p.gate.deadline(); time.Now().Before(until) {
			p.Error("the gate is open after the Lease was released")
		}
	}
}

// leftOut fails the test unless a renewal may be skipped.
func (p *player) leftOut() {
	p.Helper()
	if err := p.lease.mayWriteUntil(time.Now().Add(1)); err != nil {
		p.Errorf("a renewal is skipped: %v", err)
	}
	if age := p.lease.age(); age >= p.lasts/renewals {
		p.Errorf("a renewal is skipped %s after the last one", age)
	}
}
