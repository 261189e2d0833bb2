package endpointslice

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// leaf is one field of an object, found by reflection, and how to change it.
type leaf struct {
	path   string
	change func()
}

// leavesOf lists the fields below a settable value. It first fills an absent pointer,
// list or map, so that it misses no field below it.
func leavesOf(path string, v reflect.Value) []leaf {
	switch v.Type() {
	case reflect.TypeFor[metav1.Time]():
		return []leaf{{path, func() { v.Set(reflect.ValueOf(metav1.NewTime(build.Epoch.Add(123 * time.Second)))) }}}
	}
	switch v.Kind() {
	case reflect.Pointer:
		absent := v.IsNil()
		if absent {
			filled := reflect.New(v.Type().Elem())
			return []leaf{{path, func() {
				for _, l := range leavesOf(path, filled.Elem()) {
					l.change()
				}
				v.Set(filled)
			}}}
		}
		return append(leavesOf(path, v.Elem()), leaf{path + " is absent", func() { v.SetZero() }})
	case reflect.Struct:
		var leaves []leaf
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				leaves = append(leaves, leavesOf(path+"."+field.Name, v.Field(i))...)
			}
		}
		return leaves
	case reflect.Slice:
		leaves := []leaf{{path + " has one more", func() { v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem())) }}}
		for i := range v.Len() {
			leaves = append(leaves, leavesOf(fmt.Sprintf("%s[%d]", path, i), v.Index(i))...)
		}
		return leaves
	case reflect.Map:
		return mapLeaves(path, v)
	case reflect.String:
		leaves := []leaf{{path, func() { v.SetString(v.String() + "x") }}}
		for _, word := range []string{string(corev1.ServiceTypeExternalName), corev1.ClusterIPNone} {
			leaves = append(leaves, leaf{path + "=" + word, func() { v.SetString(word) }})
		}
		return leaves
	case reflect.Bool:
		return []leaf{{path, func() { v.SetBool(!v.Bool()) }}}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8:
		return []leaf{{path, func() { v.Set(reflect.ValueOf(1).Convert(v.Type())) }}}
	}
	panic(fmt.Sprintf("%s is of kind %s", path, v.Kind()))
}

func mapLeaves(path string, v reflect.Value) []leaf {
	if v.Type().Elem().Kind() != reflect.String {
		return nil // such as managedFields, which are not maps of strings
	}
	set := func(key, value string) {
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), reflect.ValueOf(value).Convert(v.Type().Elem()))
	}
	leaves := []leaf{{path + "[new]", func() { set("new", "x") }}}
	for _, key := range v.MapKeys() {
		leaves = append(leaves, leaf{fmt.Sprintf("%s[%s]", path, key), func() { set(key.String(), "x") }})
	}
	return leaves
}

// published returns what the core would write for a Service and one workload.
func published(t *testing.T, service *corev1.Service, object *v1beta1.ExternalWorkload) plan.Plan {
	t.Helper()
	var state desired.State
	var workloads []*desired.Workload
	if object.Namespace == service.Namespace {
		workload := desired.NewWorkload(object, nil, desired.Sighting{At: build.Epoch.Add(24 * time.Hour)})
		workload.Changed = build.Epoch
		workloads = append(workloads, workload)
	}
	state.Compute(service, workloads, desired.Options{ManagedBy: build.ManagedBy, Now: build.Epoch.Add(48 * time.Hour)})
	return plan.Compute(&state, nil, plan.Options{MaxEndpoints: 100})
}

// richService and richWorkload have a value in every field that is read.
func richService() *corev1.Service {
	service := build.Service("shop/web", build.Families(corev1.IPv4Protocol), build.Label("team", "shop"),
		build.Ports(build.Port("http", 80, build.ToName("http"))))
	service.Spec.TrafficDistribution = ptr.To(corev1.ServiceTrafficDistributionPreferClose)
	service.Spec.Ports[0].AppProtocol = ptr.To("http")
	return service
}

func richWorkload() *v1beta1.ExternalWorkload {
	return build.Workload("shop/a", build.Label(corev1.LabelTopologyZone, "east"), build.Annotation("note", "a"))
}

// The fault: the handlers ignored a field that the core reads. The update that sets a
// Service's deletionTimestamp was dropped, so the controller recreated slices that the
// garbage collector deleted.
func TestEveryFieldThatDecidesPassesTheFilterOfServices(t *testing.T) {
	object := richWorkload()
	before := published(t, richService(), object)
	var decides []string
	for i, l := range leavesOf("", reflect.ValueOf(richService()).Elem()) {
		old, changed := richService(), richService()
		leavesOf("", reflect.ValueOf(changed).Elem())[i].change()
		if cmp.Equal(before, published(t, changed, object)) {
			continue
		}
		decides = append(decides, l.path)
		for _, service := range []*corev1.Service{old, changed} {
			if _, err := trimService(service); err != nil {
				t.Fatal(err)
			}
		}
		if !differs(old, changed) {
			t.Errorf("a change of Service%s changes what is published, and its event is dropped", l.path)
		}
	}
	for _, path := range []string{".ObjectMeta.DeletionTimestamp", ".ObjectMeta.Labels[team]", ".Spec.Type=ExternalName", ".Spec.ClusterIP=None", ".Spec.Ports[0].AppProtocol", ".Spec.TrafficDistribution"} {
		if !slices.Contains(decides, path) {
			t.Errorf("Service%s has no effect, so this test is incomplete; fields with an effect are %v", path, decides)
		}
	}
}

func TestEveryFieldThatDecidesPassesTheFilterOfWorkloads(t *testing.T) {
	service := richService()
	before := published(t, service, richWorkload())
	var decides []string
	for i, l := range leavesOf("", reflect.ValueOf(richWorkload()).Elem()) {
		old, changed := richWorkload(), richWorkload()
		leavesOf("", reflect.ValueOf(changed).Elem())[i].change()
		if changed.Name != old.Name || changed.Namespace != old.Namespace || cmp.Equal(before, published(t, service, changed)) {
			continue // another name or namespace is another object
		}
		decides = append(decides, l.path)
		m, trim := newMembership(), newShares()
		m.setService(service, desired.Sighting{})
		for _, workload := range []*v1beta1.ExternalWorkload{old, changed} {
			if _, err := trim.trimWorkload(workload); err != nil {
				t.Fatal(err)
			}
		}
		m.setWorkload(old, desired.Sighting{At: build.Epoch})
		if e := m.setWorkload(changed, desired.Sighting{At: build.Epoch}); len(e.changed)+len(e.moved) == 0 {
			t.Errorf("a change of ExternalWorkload%s changes what is published, and its event is dropped", l.path)
		}
	}
	for _, path := range []string{".ObjectMeta.DeletionTimestamp", ".ObjectMeta.UID", ".Spec.WorkloadIPs[0].IP", ".Spec.MeshTLS.Identity", ".Status.Conditions[0].Status"} {
		if !slices.Contains(decides, path) {
			t.Errorf("ExternalWorkload%s has no effect, so this test is incomplete; fields with an effect are %v", path, decides)
		}
	}
}

func TestServiceThatIsBeingDeletedGetsNoNewSlices(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		going := build.Service("shop/web")
		going.DeletionTimestamp, going.Finalizers = ptr.To(metav1.Now()), []string{"foregroundDeletion"}
		w.put(going)
		w.writes()
		w.remove("slice " + w.slice().Name)
		w.put(build.Workload("shop/b", build.IPs("192.0.2.2")))
		w.pass(2 * time.Minute)
		w.mustWrite()
	})
}
