package build

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Epoch is the default creation time.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// ObjectOption changes the metadata of an object of any kind.
type ObjectOption func(*metav1.ObjectMeta)

func (o ObjectOption) applyToService(s *corev1.Service)            { o(&s.ObjectMeta) }
func (o ObjectOption) applyToWorkload(w *v1beta1.ExternalWorkload) { o(&w.ObjectMeta) }
func (o ObjectOption) applyToSlice(s *discoveryv1.EndpointSlice)   { o(&s.ObjectMeta) }

// Label sets a label.
func Label(key, value string) ObjectOption {
	return func(m *metav1.ObjectMeta) { set(&m.Labels, key, value) }
}

// NoLabels removes all labels.
func NoLabels() ObjectOption {
	return func(m *metav1.ObjectMeta) { m.Labels = nil }
}

// Annotation sets an annotation.
func Annotation(key, value string) ObjectOption {
	return func(m *metav1.ObjectMeta) { set(&m.Annotations, key, value) }
}

// UID sets the UID. The default is the name with the suffix "-uid".
func UID(uid types.UID) ObjectOption {
	return func(m *metav1.ObjectMeta) { m.UID = uid }
}

// Created sets the creation time.
func Created(at time.Time) ObjectOption {
	return func(m *metav1.ObjectMeta) { m.CreationTimestamp = metav1.NewTime(at) }
}

// Deleting sets the deletion timestamp, a minute after Epoch.
func Deleting() ObjectOption {
	return func(m *metav1.ObjectMeta) { m.DeletionTimestamp = new(metav1.NewTime(Epoch.Add(time.Minute))) }
}

// metadata returns the metadata of an object with a key like "namespace/name".
func metadata(key string) metav1.ObjectMeta {
	namespace, name, found := strings.Cut(key, "/")
	if !found {
		panic(fmt.Sprintf("the key %q is not namespace/name", key))
	}
	return metav1.ObjectMeta{
		Namespace:         namespace,
		Name:              name,
		UID:               types.UID(name + "-uid"),
		ResourceVersion:   "1",
		CreationTimestamp: metav1.NewTime(Epoch),
	}
}

func set(values *map[string]string, key, value string) {
	if *values == nil {
		*values = map[string]string{}
	}
	(*values)[key] = value
}

// pairs makes a map from alternating keys and values.
func pairs(keysAndValues []string) map[string]string {
	values := make(map[string]string, len(keysAndValues)/2)
	for ; len(keysAndValues) > 0; keysAndValues = keysAndValues[2:] {
		values[keysAndValues[0]] = keysAndValues[1]
	}
	return values
}
