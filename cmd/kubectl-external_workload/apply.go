package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/explain"
)

// jsonObject has the fields of an object. Unlike a struct, it shows which fields a
// manifest sets.
type jsonObject = map[string]any

// objects returns the manifests alone, as a cluster would have them. An object with a
// UID was read from a cluster, so its status is real.
func (m *manifestObjects) objects(options desired.Options) explain.Objects {
	var all explain.Objects
	for _, service := range m.services {
		all.Services = append(all.Services, newService(service, options))
	}
	for _, workload := range m.workloads {
		if workload.UID == "" {
			workload = newWorkload(workload, options)
		} else {
			declare(workload, "", options)
		}
		all.Workloads = append(all.Workloads, workload)
	}
	return all
}

// over returns the objects of a cluster as kubectl apply of the manifests would leave
// them.
func (m *manifestObjects) over(live explain.Objects, options desired.Options) (explain.Objects, error) {
	for _, manifest := range m.services {
		at := indexOf(live.Services, manifest)
		if at < 0 {
			live.Services = append(live.Services, newService(manifest, options))
			continue
		}
		applied := &corev1.Service{}
		if err := apply(live.Services[at], m.documents[manifest], applied, options.Now); err != nil {
			return live, fmt.Errorf("apply the manifest of Service %q: %w", manifest.Name, err)
		}
		live.Services[at] = applied
	}
	for _, manifest := range m.workloads {
		at := indexOf(live.Workloads, manifest)
		if at < 0 {
			live.Workloads = append(live.Workloads, newWorkload(manifest, options))
			continue
		}
		before, applied := live.Workloads[at], &v1beta1.ExternalWorkload{}
		if err := apply(before, m.documents[manifest], applied, options.Now); err != nil {
			return live, fmt.Errorf("apply the manifest of ExternalWorkload %q: %w", manifest.Name, err)
		}
		inline := inlineReady(manifest)
		if overruled(before, inline, m.documents[manifest]) {
			inline = ""
		}
		declare(applied, inline, options)
		live.Workloads[at] = applied
	}
	return live, nil
}

// indexOf returns the index of the object with the namespace and name of a manifest; -1
// if there is none.
func indexOf[T metav1.Object](objects []T, manifest T) int {
	return slices.IndexFunc(objects, func(o T) bool {
		return o.GetNamespace() == manifest.GetNamespace() && o.GetName() == manifest.GetName()
	})
}

// newService returns the Service that a manifest creates.
func newService(manifest *corev1.Service, options desired.Options) *corev1.Service {
	created := manifest.DeepCopy()
	if created.CreationTimestamp.IsZero() {
		created.CreationTimestamp = metav1.NewTime(options.Now)
	}
	return created
}

// newWorkload returns the workload that a manifest creates. It is the youngest of those
// with its address, and the API server drops the status of a manifest.
func newWorkload(manifest *v1beta1.ExternalWorkload, options desired.Options) *v1beta1.ExternalWorkload {
	created := manifest.DeepCopy()
	created.UID, created.DeletionTimestamp = "", nil
	created.CreationTimestamp = metav1.NewTime(options.Now)
	created.Status = v1beta1.ExternalWorkloadStatus{}
	declare(created, inlineReady(manifest), options)
	return created
}

// apply stores in applied what kubectl apply makes of a live object: it has the labels,
// annotations and fields of spec that the manifest sets, loses those that only the
// last applied manifest set, and keeps all others, such as a drain or a registered
// address.
func apply(live metav1.Object, manifest jsonObject, applied metav1.Object, now time.Time) error {
	// The types of the API, and what was decoded from JSON, always encode.
	before, _ := json.Marshal(live)
	modified, _ := json.Marshal(applicable(manifest))
	var original []byte
	if document := lastApplied(live); document != nil {
		original, _ = json.Marshal(applicable(document))
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified, before)
	if err != nil {
		return err
	}
	merged, err := jsonpatch.MergePatch(before, patch)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(merged, applied); err != nil {
		return err
	}
	if after, _ := json.Marshal(applied); !bytes.Equal(before, after) {
		// The controller gets the change now, so it is not late to publish it.
		at := metav1.NewTime(now)
		applied.SetManagedFields(append(applied.GetManagedFields(), metav1.ManagedFieldsEntry{Manager: "kubectl-client-side-apply", Time: &at}))
	}
	return nil
}

// applicable returns the fields of a manifest that an apply changes.
func applicable(document jsonObject) jsonObject {
	metadata, _ := document["metadata"].(jsonObject)
	// An apply always sets an annotation, and so never removes all of them.
	changed := jsonObject{"annotations": jsonObject{}}
	for _, key := range []string{"labels", "annotations"} {
		if value := metadata[key]; value != nil {
			changed[key] = value
		}
	}
	result := jsonObject{"metadata": changed}
	if spec := document["spec"]; spec != nil {
		result["spec"] = spec
	}
	return result
}

// lastApplied returns the manifest that was applied last; nil if it is not known.
func lastApplied(live metav1.Object) jsonObject {
	var document jsonObject
	if json.Unmarshal([]byte(live.GetAnnotations()[corev1.LastAppliedConfigAnnotation]), &document) != nil {
		return nil
	}
	// The annotations of another object may have been copied.
	if metadata, _ := document["metadata"].(jsonObject); metadata["name"] != live.GetName() {
		return nil
	}
	return document
}

// overruled reports whether another writer has set Ready since the same inline
// condition was applied. Only a changed manifest takes precedence again.
func overruled(live *v1beta1.ExternalWorkload, inline string, manifest jsonObject) bool {
	at := slices.IndexFunc(live.Status.Conditions, isType(v1beta1.WorkloadReady))
	if at < 0 || live.Status.Conditions[at].Reason == reasonDeclared {
		return false
	}
	if live.Annotations[v1beta1.InlineReadyAnnotation] == inline {
		return true
	}
	last := lastApplied(live)
	return last != nil && reflect.DeepEqual(last["status"], manifest["status"]) && reflect.DeepEqual(applicable(last), applicable(manifest))
}
