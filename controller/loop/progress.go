package loop

import (
	"sync"
	"time"
)

// progress records when a key was last finished, and how many are being synced.
type progress struct {
	mu       sync.Mutex
	running  bool
	last     time.Time
	inFlight int
}

func (p *progress) start(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.last = true, now
}

func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = false
}

// If no key was being synced, begin counts as progress: the time before it was spent
// waiting for a key.
func (p *progress) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight == 0 {
		p.last = now
	}
	p.inFlight++
}

func (p *progress) finish(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = now
	p.inFlight--
}

func (p *progress) since(now time.Time) (idle time.Duration, running bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Sub(p.last), p.running
}

func (p *progress) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inFlight > 0
}
