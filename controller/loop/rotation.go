package loop

import (
	"container/list"

	"k8s.io/client-go/tools/cache"
)

// rotation queues waiting keys. Namespaces take turns; within a namespace, keys are
// first in, first out.
type rotation struct {
	// turns are the namespaces with keys, in the order of their turns.
	turns *list.List
	// waiting maps the namespaces in turns.
	waiting map[string]*list.Element
}

// turn is a namespace and its keys, at least one.
type turn struct {
	namespace string
	keys      []cache.ObjectName
}

func newRotation() rotation {
	return rotation{turns: list.New(), waiting: map[string]*list.Element{}}
}

// push puts a key behind the others of its namespace.
func (r *rotation) push(key cache.ObjectName) {
	at, found := r.waiting[key.Namespace]
	if !found {
		at = r.turns.PushBack(&turn{namespace: key.Namespace})
		r.waiting[key.Namespace] = at
	}
	t := at.Value.(*turn)
	t.keys = append(t.keys, key)
}

// take removes the next key, skipping namespaces that must not start one.
func (r *rotation) take(may func(namespace string) bool) (key cache.ObjectName, found bool) {
	for at := r.turns.Front(); at != nil; at = at.Next() {
		t := at.Value.(*turn)
		if !may(t.namespace) {
			continue
		}
		key, t.keys = t.keys[0], t.keys[1:]
		if len(t.keys) > 0 {
			r.turns.MoveToBack(at)
		} else {
			r.turns.Remove(at)
			delete(r.waiting, t.namespace)
		}
		return key, true
	}
	return key, false
}

// has reports whether keys of a namespace wait.
func (r *rotation) has(namespace string) bool { return r.waiting[namespace] != nil }
