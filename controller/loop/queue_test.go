package loop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/cache"
)

// deadline is the timeout of a hanging request.
const deadline = 10 * time.Second

// server answers the syncs of a loop in a bubble. The prefix of a key's name says how:
// hang never answers, slow takes 100 ms, others take 5 ms.
type server struct {
	ctx  context.Context
	loop *Loop

	mu sync.Mutex
	// added is when a key was added, for keys that have not been started.
	added map[cache.ObjectName]time.Time
	// longest is the longest wait of a key, by namespace, without hanging keys.
	longest  map[string]time.Duration
	finished map[string]int
	working  map[string]int
	// most is the maximum number of keys that were processed at once, by namespace.
	most map[string]int
}

func newServer() *server {
	s := &server{added: map[cache.ObjectName]time.Time{}, working: map[string]int{}}
	s.reset()
	return s
}

// reset starts a new measurement.
func (s *server) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest, s.finished, s.most = map[string]time.Duration{}, map[string]int{}, map[string]int{}
}

func (s *server) add(namespace, name string) {
	key := cache.NewObjectName(namespace, name)
	s.mu.Lock()
	if _, waits := s.added[key]; !waits {
		s.added[key] = time.Now()
	}
	s.mu.Unlock()
	s.loop.Add(key)
}

func (s *server) sync(_ context.Context, key cache.ObjectName) (Outcome, error) {
	hangs := strings.HasPrefix(key.Name, "hang")
	s.mu.Lock()
	if at, waited := s.added[key]; waited && !hangs {
		s.longest[key.Namespace] = max(s.longest[key.Namespace], time.Since(at))
	}
	delete(s.added, key)
	s.working[key.Namespace]++
	s.most[key.Namespace] = max(s.most[key.Namespace], s.working[key.Namespace])
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.working[key.Namespace]--
		s.finished[key.Namespace]++
	}()
	switch {
	case hangs:
		elapse(deadline)
		return Outcome{}, errors.New("no answer")
	case strings.HasPrefix(key.Name, "slow"):
		elapse(100 * time.Millisecond)
	default:
		elapse(5 * time.Millisecond)
	}
	return Outcome{}, nil
}

// longestOf, finishedOf and mostOf return the measurements of a namespace.
func (s *server) longestOf(namespace string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.longest[namespace]
}

func (s *server) finishedOf(namespace string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished[namespace]
}

func (s *server) mostOf(namespace string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most[namespace]
}

// every calls a function at intervals until it is stopped or the test ends.
func (s *server) every(interval time.Duration, do func(i int)) (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			do(i)
			select {
			case <-ctx.Done():
			case <-time.After(interval):
			}
		}
	}()
	return cancel
}

// serve runs a loop with this number of workers for a test.
func serve(t *testing.T, workers int, test func(*testing.T, *server)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newServer()
		s.ctx = ctx
		l, _, stop := run(t, workers, s.sync)
		s.loop = l
		test(t, s)
		cancel()
		stop()
	})
}

// The fault: with two Services whose writes hang, and one key a minute in another
// namespace, the namespace counted as busy and its healthy Services waited 1.7 s.
func TestHangingKeysDoNotDelayTheirNamespace(t *testing.T) {
	for _, test := range []struct{ hanging, workers int }{{2, 32}, {50, 32}, {2, 4}, {50, 4}} {
		t.Run(fmt.Sprintf("%d hang, %d workers", test.hanging, test.workers), func(t *testing.T) {
			serve(t, test.workers, func(t *testing.T, s *server) {
				for i := range test.hanging {
					s.add("shop", fmt.Sprint("hang-", i))
				}
				s.every(time.Minute, func(i int) { s.add("elsewhere", fmt.Sprint(i)) })
				s.every(time.Second, func(i int) { s.add("shop", fmt.Sprint(i)) })
				// At first it is unknown which keys hang.
				first := time.Duration(test.hanging/max(test.workers-2, 1)+1) * deadline
				elapse(first)
				if most := s.longestOf("shop"); most > first {
					t.Errorf("at first a healthy key waited %s, want at most %s", most, first)
				}
				s.reset()
				elapse(30 * time.Minute)
				if got := s.finishedOf("shop"); got < 1800 {
					t.Errorf("%d keys of the namespace were synced in 30 minutes, want all 1800", got)
				}
				if most := s.longestOf("shop"); most >= 50*time.Millisecond {
					t.Errorf("a healthy key of the namespace waited %s, want less than 50ms", most)
				}
				if most := s.longestOf("elsewhere"); most >= 50*time.Millisecond {
					t.Errorf("a key of another namespace waited %s, want less than 50ms", most)
				}
			})
		})
	}
}

func TestHangingKeysLeaveWorkersToOtherNamespacesFromTheFirst(t *testing.T) {
	serve(t, 32, func(t *testing.T, s *server) {
		for i := range 200 {
			s.add("shop", fmt.Sprint("hang-", i))
		}
		s.every(100*time.Millisecond, func(i int) { s.add("elsewhere", fmt.Sprint(i)) })
		elapse(time.Minute)
		if most := s.longestOf("elsewhere"); most > 0 {
			t.Errorf("a key of another namespace waited %s, want no wait", most)
		}
	})
}

// The fault: because of one key a minute in another namespace, 5,000 keys took 5 min 45 s
// instead of 16 s.
func TestAllWorkersAreUsed(t *testing.T) {
	serve(t, 32, func(t *testing.T, s *server) {
		s.every(time.Minute, func(i int) { s.add("elsewhere", fmt.Sprint(i)) })
		elapse(30 * time.Second)
		for i := range 5000 {
			s.add("shop", fmt.Sprint("slow-", i))
		}
		begin := time.Now()
		for s.loop.Len() > 0 {
			elapse(100 * time.Millisecond)
		}
		// 5,000 keys of 100 ms take 15.6 s with 32 workers, and 16.7 s with the 30 workers that
		// one namespace gets.
		if took := time.Since(begin); took > 17*time.Second {
			t.Errorf("it took %s, want about 16 s", took)
		}
	})
}

// flood keeps a namespace busy: it always has 100 keys in the queue.
func (s *server) flood(namespace string) {
	for i := range 100 {
		s.add(namespace, fmt.Sprint(i))
	}
	s.every(time.Millisecond, func(int) {
		for i := range 100 {
			s.add(namespace, fmt.Sprint(i))
		}
	})
}

func TestBusyNamespaceLeavesTheAPIServerToItsNeighbours(t *testing.T) {
	serve(t, 32, func(t *testing.T, s *server) {
		s.flood("crowd")
		elapse(10 * time.Second)
		if got := s.finishedOf("crowd"); got < 10*30*200*9/10 {
			t.Errorf("alone, %d of its keys were synced in 10 s, want as many as 30 workers can sync", got)
		}
		stop := s.every(100*time.Millisecond, func(i int) { s.add("neighbour", fmt.Sprint(i)) })
		elapse(time.Second)
		s.reset()
		elapse(10 * time.Second)
		if got := s.finishedOf("crowd"); got < 10*200-20 || got > 10*(200+startRate)+20 {
			t.Errorf("beside a neighbour, %d of its keys were synced in 10 s, want as many as one worker can sync and up to %d more a second", got, startRate)
		}
		if most := s.mostOf("crowd"); most > 3 {
			t.Errorf("beside a neighbour, %d of its keys were processed at once", most)
		}
		if most := s.longestOf("neighbour"); most > 0 {
			t.Errorf("a key of the neighbour waited %s, want no wait", most)
		}
		stop()
		elapse(neighbourFor + 200*time.Millisecond)
		s.reset()
		elapse(10 * time.Second)
		if got := s.finishedOf("crowd"); got < 10*30*200*9/10 {
			t.Errorf("when the neighbour is quiet, %d of its keys were synced in 10 s, want as many as 30 workers can sync", got)
		}
	})
}

func TestBusyNamespacesDoNotHoldBackEachOther(t *testing.T) {
	serve(t, 32, func(t *testing.T, s *server) {
		s.flood("crowd")
		s.flood("throng")
		elapse(15 * time.Second)
		s.reset()
		elapse(10 * time.Second)
		if got := s.finishedOf("crowd") + s.finishedOf("throng"); got < 10*30*200*8/10 {
			t.Errorf("%d of their keys were synced in 10 s, want as many as the workers can sync", got)
		}
		if a, b := s.finishedOf("crowd"), s.finishedOf("throng"); a > 2*b || b > 2*a {
			t.Errorf("%d keys of one and %d of the other were synced", a, b)
		}
	})
}

func TestNamespacesAreForgotten(t *testing.T) {
	serve(t, 4, func(t *testing.T, s *server) {
		for i := range 100 {
			s.add(fmt.Sprint("dead-", i), "a")
		}
		elapse(time.Minute)
		s.add("shop", "a")
		elapse(time.Second)
		q := s.loop.order
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.namespaces) != 1 || len(q.resting) != 1 || len(q.ready.waiting) != 0 || len(q.hangs) != 0 || q.working != (tally{}) {
			t.Errorf("%d namespaces are kept and %d rest, want only the one that had a key lately", len(q.namespaces), len(q.resting))
		}
	})
}
