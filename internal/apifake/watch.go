package apifake

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// watcher is one watch. Its events wait in a queue of any length, so that no
// write waits for a reader.
type watcher struct {
	resource  schema.GroupVersionResource
	namespace string
	selector  labels.Selector
	// next is the index in the history of the next change to be looked at.
	next int

	mu      sync.Mutex
	queue   []watch.Event
	wake    chan struct{}
	results chan watch.Event
	stopped chan struct{}
	stop    sync.Once
}

// Watch implements testing.ObjectTracker. It sends what changed after the
// resourceVersion of the options, or from now on if they have none.
func (s *store) Watch(resource schema.GroupVersionResource, namespace string, options ...metav1.ListOptions) (watch.Interface, error) {
	w := &watcher{
		resource: resource, namespace: namespace, selector: labels.Everything(),
		wake: make(chan struct{}, 1), results: make(chan watch.Event), stopped: make(chan struct{}),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.next = len(s.history)
	for _, option := range options {
		selector, err := labels.Parse(option.LabelSelector)
		if err != nil {
			return nil, err
		}
		w.selector = selector
		if option.ResourceVersion == "" {
			continue
		}
		since, err := strconv.ParseInt(option.ResourceVersion, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("resourceVersion %q: %w", option.ResourceVersion, err)
		}
		w.next, _ = slices.BinarySearchFunc(s.history, since+1, func(c change, version int64) int { return int(c.version - version) })
	}
	s.watchers = append(s.watchers, w)
	s.feed(w)
	go w.run()
	return w, nil
}

// changed adds a change to the history and sends it to the watchers.
func (s *store) changed(resource schema.GroupVersionResource, namespace string, before metav1.Object, name string) error {
	c := change{version: s.version + 1, resource: resource, namespace: namespace, before: before}
	if name != "" {
		after, err := s.get(resource, namespace, name)
		if err != nil {
			return err
		}
		c.after = after
	}
	s.history = append(s.history, c)
	s.watchers = slices.DeleteFunc(s.watchers, (*watcher).ended)
	for _, w := range s.watchers {
		s.feed(w)
	}
	return nil
}

// hold delays changes of a resource for watchers.
func (s *store) hold(resource string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[resource]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held[resource]--
		for _, w := range s.watchers {
			s.feed(w)
		}
	})
}

// feed sends a watcher all changes that it has not seen.
func (s *store) feed(w *watcher) {
	if s.held[w.resource.Resource] > 0 {
		return
	}
	for ; w.next < len(s.history); w.next++ {
		if event, seen := w.eventOf(&s.history[w.next]); seen {
			w.push(event)
		}
	}
}

// eventOf returns the event of a change for a watcher, if it sees the change.
func (w *watcher) eventOf(c *change) (watch.Event, bool) {
	if c.resource != w.resource || w.namespace != "" && c.namespace != w.namespace {
		return watch.Event{}, false
	}
	before, after := w.matches(c.before), w.matches(c.after)
	switch {
	case after && before:
		return watch.Event{Type: watch.Modified, Object: copied(c.after)}, true
	case after:
		return watch.Event{Type: watch.Added, Object: copied(c.after)}, true
	case before:
		gone := copied(c.before)
		gone.(metav1.Object).SetResourceVersion(strconv.FormatInt(c.version, 10))
		return watch.Event{Type: watch.Deleted, Object: gone}, true
	}
	return watch.Event{}, false
}

func (w *watcher) matches(object metav1.Object) bool {
	return object != nil && w.selector.Matches(labels.Set(object.GetLabels()))
}

func copied(object metav1.Object) runtime.Object { return object.(runtime.Object).DeepCopyObject() }

func (w *watcher) push(event watch.Event) {
	w.mu.Lock()
	w.queue = append(w.queue, event)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run delivers the queue until the watch is stopped.
func (w *watcher) run() {
	defer close(w.results)
	for {
		w.mu.Lock()
		ready := w.queue
		w.queue = nil
		w.mu.Unlock()
		for _, event := range ready {
			select {
			case w.results <- event:
			case <-w.stopped:
				return
			}
		}
		select {
		case <-w.wake:
		case <-w.stopped:
			return
		}
	}
}

func (w *watcher) ended() bool {
	select {
	case <-w.stopped:
		return true
	default:
		return false
	}
}

// ResultChan implements watch.Interface.
func (w *watcher) ResultChan() <-chan watch.Event { return w.results }

// Stop implements watch.Interface.
func (w *watcher) Stop() { w.stop.Do(func() { close(w.stopped) }) }
