package endpointslice

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// heartbeat returns a condition Ready with a new lastProbeTime.
func heartbeat(at time.Time) v1beta1.WorkloadCondition {
	ready := build.Condition(v1beta1.WorkloadReady, v1beta1.ConditionTrue)
	ready.LastProbeTime = metav1.NewTime(at)
	return ready
}

func TestEventsThatCauseNoSync(t *testing.T) {
	for name, object := range map[string]runtime.Object{
		"a heartbeat":                              build.Workload("shop/a", build.Conditions(heartbeat(build.Epoch))),
		"an annotation of a workload":              build.Workload("shop/a", build.Annotation("note", "new")),
		"an unrelated label of a workload":         build.Workload("shop/a", build.Label("rack", "7")),
		"another condition of a workload":          build.Workload("shop/a", build.Conditions(heartbeat(build.Epoch), build.Condition("Warm", v1beta1.ConditionFalse))),
		"a workload that no Service selects":       build.Workload("shop/z", build.NoLabels()),
		"a workload in another namespace":          build.Workload("elsewhere/a"),
		"a workload's address in another spelling": build.Workload("shop/six", build.IPs("2001:DB8:0::1")),
		"an annotation of a Service":               build.Service("shop/web", build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol), build.Annotation("note", "new")),
		"a slice of another manager":               build.Slice("shop/web-other", build.Label("endpointslice.kubernetes.io/managed-by", "others")),
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, given(
				build.Service("shop/web", build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol)),
				build.Workload("shop/a"),
				build.Workload("shop/six", build.IPs("2001:db8::1")),
			), func(w *world) {
				w.mustWrite("create", "create")
				w.syncs()
				w.put(object)
				w.pass(time.Minute)
				w.mustWrite()
				if got := w.syncs(); len(got) > 0 {
					t.Errorf("there were syncs: %v", got)
				}
			})
		})
	}
}

func TestChangesThatArePublished(t *testing.T) {
	for name, test := range map[string]struct {
		object runtime.Object
		want   []string
	}{
		"a workload's readiness": {
			build.Workload("shop/a", build.NotReady()),
			[]string{"web IPv4 http:8080 | a 192.0.2.1 not ready"},
		},
		"a workload's drain": {
			build.Workload("shop/a", build.Drained()),
			[]string{"web IPv4 http:8080 | a 192.0.2.1 not ready"},
		},
		"a workload's address": {
			build.Workload("shop/a", build.IPs("192.0.2.7")),
			[]string{"web IPv4 http:8080 | a 192.0.2.7"},
		},
		"a workload's label": {
			build.Workload("shop/a", build.NoLabels()),
			nil,
		},
		"a Service's port": {
			build.Service("shop/web", build.Ports(build.Port("web", 8080))),
			[]string{"web IPv4 web:8080 | a 192.0.2.1"},
		},
		"a Service that selects all workloads": {
			build.Service("shop/web", build.PublishNotReady()),
			[]string{"web IPv4 http:8080 | a 192.0.2.1"},
		},
		"a Service's selector": {
			build.Service("shop/web", build.Selector("app", "other")),
			nil,
		},
		"a Service whose selector is removed": {
			build.Service("shop/web", build.NoSelector()), nil,
		},
		"a Service of type ExternalName": {
			build.Service("shop/web", build.Type(corev1.ServiceTypeExternalName)), nil,
		},
		"a Service of another family": {
			build.Service("shop/web", build.Families(corev1.IPv6Protocol)), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
				w.put(test.object)
				w.mustPublish(test.want...)
			})
		})
	}
}

// TestNamespaces has a controller that serves two of three namespaces.
func TestNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, namespace := range []string{"shop", "forum", "elsewhere"} {
			w.put(build.Service(namespace+"/web"), build.Workload(namespace+"/a"))
		}
		w.start(func(config *Config) {
			config.Informers = nil
			for _, namespace := range []string{"shop", "forum"} {
				informers, err := NewInformers(w.core, w.workloads, namespace, build.ManagedBy)
				if err != nil {
					t.Fatal(err)
				}
				config.Informers = append(config.Informers, informers)
			}
		})
		w.pass(time.Second)
		w.stop()
		var namespaces []string
		list, err := w.core.DiscoveryV1().EndpointSlices("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, slice := range list.Items {
			namespaces = append(namespaces, slice.Namespace)
		}
		slices.Sort(namespaces)
		if diff := cmp.Diff([]string{"forum", "shop"}, namespaces); diff != "" {
			t.Errorf("namespaces with slices: -want +got\n%s", diff)
		}
	})
}
