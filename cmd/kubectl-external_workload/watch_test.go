package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// narrated collects what watch prints, without the times.
func narrated(act func(*narrator)) []string {
	var out bytes.Buffer
	act(&narrator{
		program: &program{streams: streams{out: &out}}, workload: "vm-1",
		conditions: map[v1beta1.WorkloadConditionType]string{}, endpoints: map[string]string{},
	})
	var lines []string
	for line := range strings.Lines(out.String()) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), "  ")
		lines = append(lines, text)
	}
	return lines
}

func TestWatchPrintsEachChangeOfTheWorkloadOnce(t *testing.T) {
	ready := func(status v1beta1.ConditionStatus, reason string) *v1beta1.ExternalWorkload {
		w := build.Workload("shop/vm-1", build.IPs("192.0.2.1"))
		w.Status.Conditions = []v1beta1.WorkloadCondition{{Type: v1beta1.WorkloadReady, Status: status, Reason: reason, Message: "a\x1b[31mb"}}
		return w
	}
	drained := ready("False", "ProbeFailed")
	drained.Annotations = map[string]string{v1beta1.DrainAnnotation: "now"}
	drained.Status.Conditions = nil
	got := narrated(func(n *narrator) {
		each(n.workloadChanged)([]*v1beta1.ExternalWorkload{ready("True", "ProbeSucceeded")})
		n.workloadChanged(watch.Modified, ready("True", "ProbeSucceeded"))
		n.workloadChanged(watch.Modified, ready("False", "ProbeFailed"))
		n.workloadChanged(watch.Modified, drained)
		n.workloadChanged(watch.Deleted, drained)
	})
	want := []string{
		"Ready: True (ProbeSucceeded) a [31mb",
		"addresses: 192.0.2.1",
		"Ready: False (ProbeFailed) a [31mb",
		"Ready: gone, was False (ProbeFailed) a [31mb",
		"drained: yes",
		"the ExternalWorkload is deleted",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestWatchPrintsEachChangeOfAnEndpointOnce(t *testing.T) {
	slice := func(ready, terminating bool) *discoveryv1.EndpointSlice {
		s := &discoveryv1.EndpointSlice{}
		s.Name, s.Labels = "web-1", map[string]string{discoveryv1.LabelServiceName: "web"}
		s.Annotations = map[string]string{corev1.EndpointsLastChangeTriggerTime: "never"}
		s.Endpoints = []discoveryv1.Endpoint{
			{Addresses: []string{"192.0.2.9"}, TargetRef: &corev1.ObjectReference{Kind: "ExternalWorkload", Name: "vm-9"}},
			{
				Addresses: []string{"192.0.2.1"}, TargetRef: &corev1.ObjectReference{Kind: "ExternalWorkload", Name: "vm-1"},
				Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: new(true), Terminating: &terminating},
			},
		}
		return s
	}
	without := slice(true, false)
	without.Endpoints = without.Endpoints[:1]
	got := narrated(func(n *narrator) {
		each(n.sliceChanged)([]*discoveryv1.EndpointSlice{without})
		n.sliceChanged(watch.Modified, slice(true, false))
		n.sliceChanged(watch.Modified, slice(true, false))
		n.sliceChanged(watch.Modified, slice(false, true))
		n.sliceChanged(watch.Deleted, slice(false, true))
	})
	want := []string{
		"Service web, slice web-1: 192.0.2.1 ready serving",
		"Service web, slice web-1: 192.0.2.1 serving terminating (not ready)",
		"Service web, slice web-1: taken out",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
