package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// serverNoon is the time of the API server, years before that of this machine.
var serverNoon = time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC)

// ago is a time before serverNoon.
func ago(d time.Duration) metav1.Time { return metav1.NewTime(serverNoon.Add(-d)) }

// drainCase is what the API server has when drain is called.
type drainCase struct {
	workload *v1beta1.ExternalWorkload
	slices   []discoveryv1.EndpointSlice
	// forbidden is true if slices may not be listed.
	forbidden bool
	// noDate is true if answers have no time.
	noDate bool
	// withdrawn are the slices that a watch sends.
	withdrawn []discoveryv1.EndpointSlice
}

// ServeHTTP implements [http.Handler].
func (d *drainCase) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", serverNoon.Format(http.TimeFormat))
	if d.noDate {
		w.Header()["Date"] = nil
	}
	list := func(version, kind string, items any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": version, "kind": kind + "List", "items": items})
	}
	resource := path.Base(r.URL.Path)
	switch {
	case resource == "endpointslices" && d.forbidden:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":403,"reason":"Forbidden"}`)
	case r.URL.Query().Get("watch") != "":
		for i := range d.withdrawn {
			d.withdrawn[i].APIVersion, d.withdrawn[i].Kind = "discovery.k8s.io/v1", "EndpointSlice"
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": d.withdrawn[i]})
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case resource == "endpointslices":
		list("discovery.k8s.io/v1", "EndpointSlice", d.slices)
	case resource == "services":
		list("v1", "Service", []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "everything"}, Spec: corev1.ServiceSpec{PublishNotReadyAddresses: true}}})
	case resource == "externalworkloads":
		list("workload.linkerd.io/v1beta1", "ExternalWorkload", []*v1beta1.ExternalWorkload{d.workload})
	default:
		_ = json.NewEncoder(w).Encode(d.workload)
	}
}

// untilItWaits cancels the context when drain begins to wait for the grace period.
type untilItWaits struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (u *untilItWaits) Write(text []byte) (int, error) {
	if bytes.Contains(text, []byte("for open connections to end")) {
		u.cancel()
	}
	return u.Buffer.Write(text)
}

// sliceOf returns a slice of a Service with vm-1, written some time ago.
func sliceOf(service string, ready bool, written ...time.Duration) discoveryv1.EndpointSlice {
	slice := discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"192.0.2.1"}, TargetRef: &corev1.ObjectReference{Kind: "ExternalWorkload", Name: "vm-1"},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		}},
	}
	for i, before := range written {
		slice.ManagedFields = append(slice.ManagedFields, metav1.ManagedFieldsEntry{Manager: fmt.Sprint(i), Time: new(ago(before))})
	}
	return slice
}

// without returns a slice with another machine in the place of vm-1.
func without(slice discoveryv1.EndpointSlice) discoveryv1.EndpointSlice {
	slice.Endpoints[0].TargetRef.Name = "vm-2"
	return slice
}

// ofPods returns a slice with a Pod in the place of vm-1.
func ofPods(slice discoveryv1.EndpointSlice) discoveryv1.EndpointSlice {
	slice.Endpoints[0].TargetRef.Kind = "Pod"
	return slice
}

func emptied(slice discoveryv1.EndpointSlice) discoveryv1.EndpointSlice {
	slice.Endpoints = nil
	return slice
}

// drainedFor returns vm-1 with a drain that the controller saw some time ago.
func drainedFor(value string, d time.Duration) *v1beta1.ExternalWorkload {
	w := build.Workload("shop/vm-1", build.Annotation(v1beta1.DrainAnnotation, value))
	draining := build.Condition(v1beta1.WorkloadDraining, v1beta1.ConditionTrue)
	draining.LastTransitionTime = ago(d)
	w.Status.Conditions = append(w.Status.Conditions, draining)
	return w
}

func TestARepeatedDrainWaitsForTheRestOfTheGracePeriod(t *testing.T) {
	const whole, over = "waiting 30s for open connections to end\n", "the grace period of 30s is over"
	slices := func(all ...discoveryv1.EndpointSlice) []discoveryv1.EndpointSlice { return all }
	minute, quick := sliceOf("web", false, time.Minute), 10*time.Second
	undrained := build.Workload("shop/vm-1")
	undrained.Status.Conditions = drainedFor("true", time.Hour).Status.Conditions
	for sentence, test := range map[string]struct {
		server drainCase
		want   string
	}{
		"a first drain":                            {drainCase{workload: undrained, slices: slices(minute)}, whole},
		"after the grace period":                   {drainCase{workload: drainedFor("true", time.Hour), slices: slices(minute)}, over},
		"within the grace period":                  {drainCase{workload: drainedFor("true", quick), slices: slices(minute)}, "waiting 21s for open connections to end, the rest of 30s\n"},
		"a slice that was written later":           {drainCase{workload: drainedFor("true", time.Hour), slices: slices(minute, sliceOf("shop", false, time.Hour, quick))}, "waiting 21s for"},
		"a slice without the time":                 {drainCase{workload: drainedFor("true", time.Hour), slices: slices(minute, sliceOf("shop", false))}, whole},
		"no slice has it":                          {drainCase{workload: drainedFor("true", time.Hour)}, whole},
		"it was ready at the first look":           {drainCase{workload: drainedFor("true", time.Hour), slices: slices(sliceOf("web", true, time.Hour)), withdrawn: slices(minute)}, whole},
		"a Service that never withdraws":           {drainCase{workload: drainedFor("true", time.Hour), slices: slices(minute, sliceOf("everything", true, 0))}, over},
		"the controller has not seen it":           {drainCase{workload: build.Workload("shop/vm-1", build.Drained()), slices: slices(minute)}, whole},
		"a drain that replaced another":            {drainCase{workload: drainedFor(ago(quick).UTC().Format(time.RFC3339), time.Hour), slices: slices(minute)}, "waiting 21s for"},
		"a time in the future":                     {drainCase{workload: drainedFor("true", -time.Hour), slices: slices(minute)}, whole},
		"an API server without a clock":            {drainCase{workload: drainedFor("true", time.Hour), slices: slices(minute), noDate: true}, whole},
		"a user who may read no slices":            {drainCase{workload: drainedFor("machine "+ago(time.Hour).UTC().Format(time.RFC3339), quick), forbidden: true}, whole},
		"an administrator after a machine":         {drainCase{workload: drainedFor("machine x", quick), slices: slices(minute)}, whole},
		"a slice of others that was written later": {drainCase{workload: drainedFor("true", time.Hour), slices: slices(minute, without(sliceOf("shop", false, quick)))}, "waiting 21s for"},
		"a slice of Pods that was written later":   {drainCase{workload: drainedFor("true", time.Hour), slices: slices(minute, ofPods(sliceOf("shop", true, quick)))}, over},
		"a slice that was emptied later":           {drainCase{workload: drainedFor("true", time.Hour), slices: slices(minute, emptied(sliceOf("shop", true, quick)))}, "waiting 21s for"},
	} {
		t.Run(sentence, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			out := &untilItWaits{cancel: cancel}
			var stderr bytes.Buffer
			run(ctx, "kubectl external-workload", []string{"drain", "vm-1", "-n", "shop", "--server", answering(t, test.server.ServeHTTP)}, streams{out: out, err: &stderr})
			if !strings.Contains(out.String(), test.want) {
				t.Errorf("output does not contain %q:\n%s%s", test.want, out, &stderr)
			}
		})
	}
}

// TestAMachineThatIsServedAgainIsNotDeleted: the drain ended while its grace period was
// waited for.
func TestAMachineThatIsServedAgainIsNotDeleted(t *testing.T) {
	drained := drainedFor("true", time.Hour)
	for sentence, test := range map[string]struct {
		meanwhile *v1beta1.ExternalWorkload
		conflicts int
		code      int
		want      string
	}{
		"the drain is still in effect":            {drained, 0, 0, "externalworkload/vm-1 deleted"},
		"a condition was written in between":      {drained, 2, 0, "externalworkload/vm-1 deleted"},
		"the drain was ended":                     {build.Workload("shop/vm-1"), 0, 1, "externalworkload/vm-1 was not deleted: its drain was ended or replaced meanwhile; run drain again"},
		"another drain began":                     {drainedFor("later", time.Minute), 0, 1, "externalworkload/vm-1 was not deleted"},
		"it was deleted and created with a drain": {recreated(drainedFor("true", time.Hour)), 0, 1, "externalworkload/vm-1 was not deleted"},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := deletion{drainCase: drainCase{workload: drained, slices: []discoveryv1.EndpointSlice{sliceOf("web", false, time.Minute)}}, meanwhile: test.meanwhile, conflicts: test.conflicts}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), "kubectl external-workload", []string{"drain", "vm-1", "-n", "shop", "--delete", "--server", answering(t, server.ServeHTTP)}, streams{out: &stdout, err: &stderr})
			if output := stdout.String() + stderr.String(); code != test.code || !strings.Contains(output, test.want) {
				t.Errorf("exit code %d, want %d; output does not contain %q:\n%s", code, test.code, test.want, output)
			}
			if deleted := server.deletions.Load() > 0; deleted != (test.code == 0) {
				t.Errorf("deleted is %v", deleted)
			}
		})
	}
}

func recreated(w *v1beta1.ExternalWorkload) *v1beta1.ExternalWorkload {
	w.UID = "another"
	return w
}

// deletion answers the second read of the workload with what became of it meanwhile, and
// a number of deletions with a conflict.
type deletion struct {
	drainCase
	meanwhile        *v1beta1.ExternalWorkload
	conflicts        int
	reads, deletions atomic.Int32
}

func (d *deletion) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodDelete && d.conflicts > 0:
		d.conflicts--
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(apierrors.NewConflict(v1beta1.Resource("externalworkloads"), "vm-1", errors.New("changed")).Status())
	case r.Method == http.MethodDelete:
		d.deletions.Add(1)
		d.drainCase.ServeHTTP(w, r)
	case strings.HasSuffix(r.URL.Path, "/externalworkloads/vm-1") && d.reads.Add(1) > 1:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d.meanwhile)
	default:
		d.drainCase.ServeHTTP(w, r)
	}
}
