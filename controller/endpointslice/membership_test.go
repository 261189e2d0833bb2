package endpointslice

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// members returns the names of the workloads that a Service selects.
func (m *membership) members(key string) []string {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		panic(err)
	}
	_, _, workloads := m.gather(cache.NewObjectName(namespace, name), nil)
	names := []string{}
	for _, w := range workloads {
		names = append(names, w.Name)
	}
	return names
}

func TestMembership(t *testing.T) {
	for name, test := range map[string]struct {
		service  *corev1.Service
		workload *v1beta1.ExternalWorkload
		want     bool
	}{
		"a workload that has the label": {
			build.Service("shop/web"), build.Workload("shop/a"), true,
		},
		"a workload that has more labels": {
			build.Service("shop/web"), build.Workload("shop/a", build.Label("rack", "7")), true,
		},
		"a workload with another value": {
			build.Service("shop/web"), build.Workload("shop/a", build.Label("app", "api")), false,
		},
		"a workload that lacks a label": {
			build.Service("shop/web", build.Selector("app", "web", "tier", "front")), build.Workload("shop/a"), false,
		},
		"a workload that has all labels": {
			build.Service("shop/web", build.Selector("app", "web", "tier", "front")), build.Workload("shop/a", build.Label("tier", "front")), true,
		},
		"a workload without labels": {
			build.Service("shop/web"), build.Workload("shop/a", build.NoLabels()), false,
		},
		"a label with the required empty value": {
			build.Service("shop/web", build.Selector("app", "")), build.Workload("shop/a", build.Label("app", "")), true,
		},
		"a missing label where an empty value is required": {
			build.Service("shop/web", build.Selector("tier", "")), build.Workload("shop/a"), false,
		},
		"a workload of another namespace": {
			build.Service("shop/web"), build.Workload("elsewhere/a"), false,
		},
		"a Service whose selector is empty": {
			build.Service("shop/web", build.Selector()), build.Workload("shop/a"), false,
		},
		"a Service without selector": {
			build.Service("shop/web", build.NoSelector()), build.Workload("shop/a"), false,
		},
		"labels whose keys and values concatenate to the same text": {
			build.Service("shop/web", build.Selector("a", `b"c`)), build.Workload("shop/a", build.Label(`a"b`, "c")), false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := []string{}
			if test.want {
				want = append(want, "a")
			}
			serviceFirst, workloadFirst := newMembership(), newMembership()
			serviceFirst.setService(test.service, desired.Sighting{})
			serviceFirst.setWorkload(test.workload, desired.Sighting{})
			workloadFirst.setWorkload(test.workload, desired.Sighting{})
			workloadFirst.setService(test.service, desired.Sighting{})
			for order, m := range map[string]*membership{"Service first": serviceFirst, "workload first": workloadFirst} {
				if diff := cmp.Diff(want, m.members("shop/web")); diff != "" {
					t.Errorf("%s: members: -want +got\n%s", order, diff)
				}
			}
		})
	}
}

func TestEffectOfAWorkload(t *testing.T) {
	key := func(name string) cache.ObjectName { return cache.NewObjectName("shop", name) }
	m := newMembership()
	m.setService(build.Service("shop/web"), desired.Sighting{})
	m.setService(build.Service("shop/same"), desired.Sighting{})
	m.setService(build.Service("shop/api", build.Selector("app", "api")), desired.Sighting{})
	for _, step := range []struct {
		name           string
		workload       *v1beta1.ExternalWorkload
		changed, moved []cache.ObjectName
	}{
		{"it comes", build.Workload("shop/a"), nil, []cache.ObjectName{key("same"), key("web")}},
		{"it comes again", build.Workload("shop/a"), nil, nil},
		{"it changes", build.Workload("shop/a", build.NotReady()), []cache.ObjectName{key("same"), key("web")}, nil},
		{"it moves", build.Workload("shop/a", build.NotReady(), build.Label("app", "api")), nil, []cache.ObjectName{key("api"), key("same"), key("web")}},
		{"an unrelated label comes", build.Workload("shop/a", build.NotReady(), build.Label("app", "api"), build.Label("rack", "7")), nil, nil},
		{"it leaves", build.Workload("shop/a", build.NoLabels()), nil, []cache.ObjectName{key("api")}},
	} {
		got := m.setWorkload(step.workload, desired.Sighting{At: time.Now()})
		if diff := cmp.Diff(step.changed, got.changed); diff != "" {
			t.Errorf("%s: changed: -want +got\n%s", step.name, diff)
		}
		if diff := cmp.Diff(step.moved, got.moved); diff != "" {
			t.Errorf("%s: moved: -want +got\n%s", step.name, diff)
		}
	}
}

// simple is the simplest implementation of membership: it compares everything each time.
type simple struct {
	services  map[string]*corev1.Service
	workloads map[string]*v1beta1.ExternalWorkload
}

func (s *simple) selects(service *corev1.Service, w *v1beta1.ExternalWorkload) bool {
	for key, value := range service.Spec.Selector {
		if have, ok := w.Labels[key]; !ok || have != value {
			return false
		}
	}
	return len(service.Spec.Selector) > 0
}

func (s *simple) members(service string) []string {
	names := []string{}
	for name, w := range s.workloads {
		if s.services[service] != nil && s.selects(s.services[service], w) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// servicesOf returns those that select a workload, which may be nil.
func (s *simple) servicesOf(w *v1beta1.ExternalWorkload) map[string]bool {
	found := map[string]bool{}
	for name, service := range s.services {
		if w != nil && s.selects(service, w) {
			found[name] = true
		}
	}
	return found
}

// TestMembershipOverRandomEvents compares membership with simple after every event.
func TestMembershipOverRandomEvents(t *testing.T) {
	const names, events, histories = 8, 120, 60
	for seed := range uint64(histories) {
		random := rand.New(rand.NewPCG(seed, 1))
		m, s := newMembership(), &simple{map[string]*corev1.Service{}, map[string]*v1beta1.ExternalWorkload{}}
		for range events {
			name := fmt.Sprint("n", random.IntN(names))
			key := cache.NewObjectName("shop", name)
			switch random.IntN(6) {
			case 0, 1:
				service := build.Service("shop/"+name, build.Selector(), anySelector(random))
				s.services[name] = service
				m.setService(service, desired.Sighting{})
			case 2:
				delete(s.services, name)
				m.deleteService(key)
			case 3, 4:
				checkEffect(t, random, m, s, name)
			case 5:
				want := slices.Sorted(maps.Keys(s.servicesOf(s.workloads[name])))
				delete(s.workloads, name)
				if got := namesOf(m.deleteWorkload(key)); !slices.Equal(got, want) {
					t.Fatalf("seed %d: deleting %s affects %v, want %v", seed, name, got, want)
				}
			}
			for n := range names {
				name := fmt.Sprint("n", n)
				if diff := cmp.Diff(s.members(name), m.members("shop/"+name)); diff != "" {
					t.Fatalf("seed %d: members of %s: -want +got\n%s", seed, name, diff)
				}
			}
		}
		for n := range names {
			key := cache.NewObjectName("shop", fmt.Sprint("n", n))
			m.deleteService(key)
			m.deleteWorkload(key)
		}
		if len(m.namespaces) > 0 {
			t.Fatalf("seed %d: after everything was deleted, %v is left", seed, m.namespaces)
		}
	}
}

// checkEffect gives a workload new labels and compares the reported effect.
func checkEffect(t *testing.T, random *rand.Rand, m *membership, s *simple, name string) {
	t.Helper()
	w := build.Workload("shop/"+name, build.NoLabels())
	w.Labels = anyLabels(random, 3)
	if random.IntN(2) == 0 {
		w.Status.Conditions = nil
	}
	before := s.servicesOf(s.workloads[name])
	after := s.servicesOf(w)
	var moved, stayed []string
	for service := range s.services {
		switch {
		case before[service] != after[service]:
			moved = append(moved, service)
		case after[service] && len(s.workloads[name].Status.Conditions) != len(w.Status.Conditions):
			stayed = append(stayed, service)
		}
	}
	slices.Sort(moved)
	slices.Sort(stayed)
	s.workloads[name] = w
	got := m.setWorkload(w, desired.Sighting{At: build.Epoch.Add(time.Hour)})
	if !slices.Equal(namesOf(got.moved), moved) || !slices.Equal(namesOf(got.changed), stayed) {
		t.Fatalf("%s: moved %v and changed %v, want %v and %v", name, got.moved, got.changed, moved, stayed)
	}
}

func namesOf(keys []cache.ObjectName) []string {
	var names []string
	for _, key := range keys {
		names = append(names, key.Name)
	}
	return names
}

// anyLabels returns at most count labels of few keys and values.
func anyLabels(random *rand.Rand, count int) map[string]string {
	labels := map[string]string{}
	for range random.IntN(count + 1) {
		labels[fmt.Sprint("k", random.IntN(3))] = fmt.Sprint("v", random.IntN(2))
	}
	return labels
}

func anySelector(random *rand.Rand) build.ServiceOption {
	var pairs []string
	for key, value := range anyLabels(random, 2) {
		pairs = append(pairs, key, value)
	}
	return build.Selector(pairs...)
}

// TestCostOfAWorkload counts the selectors that an event of a workload evaluates, among
// a growing number of Services that do not select it.
func TestCostOfAWorkload(t *testing.T) {
	for name, selector := range map[string]func(int) []string{
		"each Service has a label of its own":                   func(i int) []string { return []string{"app", fmt.Sprint(i)} },
		"all Services share a label that sorts before the rest": func(i int) []string { return []string{"aaa", "shared", "app", fmt.Sprint(i)} },
		"all Services share a label that sorts after the rest":  func(i int) []string { return []string{"app", fmt.Sprint(i), "zzz", "shared"} },
		"all Services have the same selector":                   func(int) []string { return []string{"app", "0"} },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMembership()
			w := build.Workload("shop/a", build.Label("app", "0"), build.Label("aaa", "shared"), build.Label("zzz", "shared"))
			for i := range 10_000 {
				m.setService(build.Service(fmt.Sprint("shop/s", i), build.Selector(selector(i)...)), desired.Sighting{})
			}
			looked := 0
			for key, value := range w.Labels {
				looked += len(m.namespaces["shop"].selecting[label{key, value}])
			}
			if looked > 2 {
				t.Errorf("an event of the workload looks at %d selections, want 1 or 2", looked)
			}
			if got := m.setWorkload(w, desired.Sighting{}); len(got.moved) == 0 {
				t.Error("no Service selects the workload")
			}
		})
	}
}
