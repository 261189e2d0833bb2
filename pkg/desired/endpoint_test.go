package desired_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestConditions(t *testing.T) {
	const base = "IPv4 a 192.0.2.1 http:8080/TCP"
	plain, eager := build.Service("shop/web"), build.Service("shop/web", build.PublishNotReady())
	condition := build.Condition
	for sentence, given := range map[string]struct {
		service  *corev1.Service
		workload []build.WorkloadOption
		want     string
	}{
		"Ready is True":             {plain, nil, " ready serving"},
		"Ready is False":            {plain, []build.WorkloadOption{build.NotReady()}, ""},
		"Ready is Unknown":          {plain, []build.WorkloadOption{build.Conditions(condition("Ready", "Unknown"))}, ""},
		"Ready is missing":          {plain, []build.WorkloadOption{build.Conditions()}, ""},
		"Ready has no status":       {plain, []build.WorkloadOption{build.Conditions(condition("Ready", ""))}, ""},
		"Ready in lower case":       {plain, []build.WorkloadOption{build.Conditions(condition("ready", "True"), condition("Ready", "true"))}, ""},
		"another condition is True": {plain, []build.WorkloadOption{build.Conditions(condition("Healthy", "True"))}, ""},
		"Ready is not the first":    {plain, []build.WorkloadOption{build.Conditions(condition("Healthy", "False"), condition("Ready", "True"))}, " ready serving"},
		"Ready twice, once True":    {plain, []build.WorkloadOption{build.Conditions(condition("Ready", "False"), condition("Ready", "True"))}, " ready serving"},
		"being deleted, it serves but gets no new traffic": {
			plain, []build.WorkloadOption{build.Deleting()}, " serving terminating",
		},
		"being deleted and not ready":                {plain, []build.WorkloadOption{build.Deleting(), build.NotReady()}, " terminating"},
		"drained, it serves but gets no new traffic": {plain, []build.WorkloadOption{build.Drained()}, " serving terminating"},
		"drained and not ready":                      {plain, []build.WorkloadOption{build.Drained(), build.NotReady()}, " terminating"},
		"an empty drain annotation is no drain":      {plain, []build.WorkloadOption{build.Annotation(v1beta1.DrainAnnotation, "")}, " ready serving"},
		"drained, in a Service that publishes what is not ready": {
			eager, []build.WorkloadOption{build.Drained()}, " ready serving terminating",
		},
		"not ready, in a Service that publishes it":          {eager, []build.WorkloadOption{build.NotReady()}, " ready"},
		"being deleted, in a Service that publishes it":      {eager, []build.WorkloadOption{build.Deleting()}, " ready serving terminating"},
		"deleted and not ready, in one that publishes it":    {eager, []build.WorkloadOption{build.Deleting(), build.NotReady()}, " ready terminating"},
		"ready, in a Service that would also publish if not": {eager, nil, " ready serving"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := lines(compute(given.service, with(build.Workload("shop/a", given.workload...))))
			if len(got) != 1 || got[0] != base+given.want {
				t.Errorf("got %q, want %q", got, base+given.want)
			}
		})
	}
}

func TestLocality(t *testing.T) {
	const base = "IPv4 a 192.0.2.1 http:8080/TCP"
	inZone := func(options ...build.WorkloadOption) []*v1beta1.ExternalWorkload {
		return with(build.Workload("shop/a", append(options, build.Zone("z1"))...))
	}
	table := map[string]row{
		"a zone without trafficDistribution is published without hint": {
			build.Service("shop/web"), inZone(), []string{base + " ready serving zone=z1"},
		},
		"an unknown trafficDistribution gives no hint": {
			build.Service("shop/web", build.Traffic("PreferMoon")), inZone(), []string{base + " ready serving zone=z1"},
		},
		"no zone, no hint": {
			build.Service("shop/web", build.Traffic("PreferClose")), with(build.Workload("shop/a")), []string{base + " ready serving"},
		},
		"an empty zone is none": {
			build.Service("shop/web", build.Traffic("PreferClose")), with(build.Workload("shop/a", build.Zone(""))), []string{base + " ready serving"},
		},
		"not ready, no hint": {
			build.Service("shop/web", build.Traffic("PreferClose")), inZone(build.NotReady()), []string{base + " zone=z1"},
		},
		"being deleted, no hint": {
			build.Service("shop/web", build.Traffic("PreferClose")), inZone(build.Deleting()), []string{base + " serving terminating zone=z1"},
		},
		"published although not ready, it has a hint": {
			build.Service("shop/web", build.Traffic("PreferClose"), build.PublishNotReady()), inZone(build.NotReady()),
			[]string{base + " ready zone=z1 hint=z1"},
		},
	}
	table["PreferSameNode hints every ready endpoint for a node that cannot exist, and for its own zone if it has one"] = row{
		build.Service("shop/web", build.Traffic("PreferSameNode")),
		append(inZone(), build.Workload("shop/b", build.IPs("192.0.2.2")), build.Workload("shop/c", build.IPs("192.0.2.3"), build.NotReady())),
		[]string{
			base + " ready serving zone=z1 hint=z1 node=external-workload.invalid",
			"IPv4 b 192.0.2.2 http:8080/TCP ready serving node=external-workload.invalid", "IPv4 c 192.0.2.3 http:8080/TCP",
		},
	}
	for _, preference := range []string{"PreferClose", "PreferSameZone"} {
		table[preference+" hints every endpoint for its own zone"] = row{
			build.Service("shop/web", build.Traffic(preference)),
			append(inZone(), build.Workload("shop/b", build.IPs("192.0.2.2"), build.Zone("z2"))),
			[]string{base + " ready serving zone=z1 hint=z1", "IPv4 b 192.0.2.2 http:8080/TCP ready serving zone=z2 hint=z2"},
		}
	}
	check(t, table)
}

func TestHostname(t *testing.T) {
	longest, tooLong := strings.Repeat("a", 63), strings.Repeat("a", 64)
	const base = " 192.0.2.1 http:8080/TCP ready serving"
	table := map[string]row{
		"a Service with a cluster IP gives none": {
			build.Service("shop/web"), with(build.Workload("shop/a")), []string{"IPv4 a" + base},
		},
	}
	for name, hostname := range map[string]string{
		"a":       "a",
		"vm-1":    "vm-1",
		"1vm":     "1vm",
		longest:   longest,
		tooLong:   "",
		"vm.site": "",
	} {
		want := "IPv4 " + name + base
		if hostname != "" {
			want += " hostname=" + hostname
		}
		table["of "+name+" in a headless Service"] = row{
			build.Service("shop/web", build.Headless()), with(build.Workload("shop/" + name)), []string{want},
		}
	}
	check(t, table)
}
