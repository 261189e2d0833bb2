package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/adopt"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/explain"
)

// clusters is the number of random clusters.
const clusters = 10_000

// TestWhyAndTheOracleAgree explains every workload of random clusters in every Service, also in
// the middle of a change. The answers must agree with the oracle's rules and with the slices.
func TestWhyAndTheOracleAgree(t *testing.T) {
	for seed := range uint64(clusters) {
		explainRandomCluster(t, build.RandomChoices(seed, 400))
		if t.Failed() {
			t.Fatalf("the seed is %d", seed)
		}
	}
}

func FuzzWhyAndTheOracleAgree(f *testing.F) {
	f.Add([]byte("external workload"))
	f.Fuzz(func(t *testing.T, data []byte) { explainRandomCluster(t, build.NewChoices(data)) })
}

var explainTime = build.Epoch.Add(time.Hour)

func explainRandomCluster(t *testing.T, choices *build.Choices) {
	t.Helper()
	services := randomServices(choices)
	before := randomWorkloads(choices)
	now := before
	if choices.Rarely(2) {
		now = randomWorkloads(choices)
	}
	options := explain.Options{
		Options:      desired.Options{ManagedBy: DefaultManagedBy, Now: explainTime},
		MaxEndpoints: 1 + choices.Below(4),
	}
	published := play(services, before, nil, options, 1000)
	published = play(services, now, published, options, choices.Below(4))

	publication := Compute(Rules{}, services, now)
	answers := explain.New("shop", explain.Objects{Services: pointersTo(services), Workloads: pointersTo(now), Slices: published}, options)
	for i := range services {
		for j := range now {
			compareAnswer(t, &services[i], &now[j], publication, published, answers)
		}
	}
}

func randomServices(choices *build.Choices) []corev1.Service {
	services := []corev1.Service{*build.AnyService(choices)}
	if choices.Rarely(2) {
		second := build.AnyService(choices)
		second.Name, second.UID = "api", "api"
		if choices.Rarely(3) {
			second.Spec.Selector = map[string]string{"app": "api"}
		}
		services = append(services, *second)
	}
	return services
}

func randomWorkloads(choices *build.Choices) []v1beta1.ExternalWorkload {
	var workloads []v1beta1.ExternalWorkload
	for i := range 1 + choices.Below(6) {
		w := build.AnyWorkload(choices, fmt.Sprintf("shop/vm-%d", i))
		if choices.Rarely(6) {
			w.Labels["app"] = "api"
		}
		workloads = append(workloads, *w)
	}
	return workloads
}

// play makes a limited number of steps of the controller for each Service.
func play(services []corev1.Service, workloads []v1beta1.ExternalWorkload, actual []*discoveryv1.EndpointSlice, options explain.Options, steps int) []*discoveryv1.EndpointSlice {
	owned := map[types.NamespacedName][]*discoveryv1.EndpointSlice{}
	for _, slice := range actual {
		name := types.NamespacedName{Namespace: "shop", Name: slice.Labels[discoveryv1.LabelServiceName]}
		owned[name] = append(owned[name], slice)
	}
	var all []*discoveryv1.EndpointSlice
	for _, subject := range adopt.Group(services, workloads, owned, explainTime) {
		slicesNow := slices.Clone(subject.Slices)
		preview := adopt.Compute(&subject, adopt.Options{Options: options.Options, MaxEndpoints: options.MaxEndpoints})
		for _, step := range preview.Steps[:min(steps, len(preview.Steps))] {
			for _, change := range step {
				slicesNow = slices.DeleteFunc(slicesNow, func(s *discoveryv1.EndpointSlice) bool {
					return change.Before != nil && s.Name == change.Before.Name
				})
				if change.After != nil {
					slicesNow = append(slicesNow, change.After)
				}
			}
		}
		all = append(all, slicesNow...)
	}
	return all
}

func pointersTo[T any](items []T) []*T {
	var all []*T
	for i := range items {
		all = append(all, &items[i])
	}
	return all
}

// compareAnswer compares an answer with the oracle.
func compareAnswer(t *testing.T, service *corev1.Service, workload *v1beta1.ExternalWorkload, publication Publication, published []*discoveryv1.EndpointSlice, answers *explain.Namespace) {
	t.Helper()
	got, err := answers.Workload(workload.Name, service.Name)
	if err != nil {
		t.Fatal(err)
	}
	answer := &got.Answers[0]
	want := publication[types.NamespacedName{Namespace: "shop", Name: service.Name}]
	selected := want != nil && len(selectedBy(service, []v1beta1.ExternalWorkload{*workload})) > 0
	if selected != (answer.Checks[0].Result == explain.OK) {
		t.Errorf("%s in %s: selected is %v, why says %+v", workload.Name, service.Name, selected, answer.Checks[0])
		return
	}
	served := false
	if selected {
		if len(answer.Families) != len(familiesOf(service)) {
			t.Errorf("%s in %s: %d families, want those of the Service", workload.Name, service.Name, len(answer.Families))
			return
		}
		for i, family := range familiesOf(service) {
			served = compareFamily(t, service, workload, family, &answer.Families[i], want, published) || served
		}
	}
	if served != answer.Served || served != (answer.Cause() == nil) {
		t.Errorf("%s in %s: served is %v, why says %v because of %+v", workload.Name, service.Name, served, answer.Served, answer.Cause())
	}
}

// whyReasons maps the oracle's reasons to those of why.
var whyReasons = map[Reason]string{
	NoAddress: "NoAddress", BadAddress: "InvalidAddress", NoPort: "NoMatchingPort", DuplicateAddress: "DuplicateAddress",
}

// compareFamily returns whether the workload is served according to the oracle.
func compareFamily(t *testing.T, service *corev1.Service, workload *v1beta1.ExternalWorkload, family discoveryv1.AddressType, got *explain.Family, want *ServicePublication, published []*discoveryv1.EndpointSlice) bool {
	t.Helper()
	where := fmt.Sprintf("%s in %s, %s", workload.Name, service.Name, family)
	for group, endpoints := range want.Groups {
		endpoint, found := endpoints[workload.Name]
		if !found || group.Family != family {
			continue
		}
		if got.Skipped != "" || got.Address != endpoint.Address || got.Ready != endpoint.Ready || got.Serving != endpoint.Serving || got.Terminating != endpoint.Terminating {
			t.Errorf("%s: the oracle has %+v, why says %+v", where, endpoint, got)
		}
		served := endpoint.Ready && isPublished(service, endpoint, group, published)
		if served != got.Served {
			t.Errorf("%s: the oracle reads served %v, why says %+v", where, served, got)
		}
		return served
	}
	for _, skip := range want.Skipped {
		if skip.Workload == workload.Name && skip.Family == family && got.Skipped != whyReasons[skip.Reason] && !bothTrue(skip.Reason, got.Skipped) {
			t.Errorf("%s: the oracle skips it for %s, why says %s", where, skip.Reason, got.Skipped)
		}
	}
	if got.Served || got.Ready || got.Skipped == "" {
		t.Errorf("%s: the oracle has no endpoint, why says %+v", where, got)
	}
	return false
}

// bothTrue accepts another reason if both are true: a workload may have both an invalid
// address and no matching ports, and an invalid address belongs to no family.
func bothTrue(reason Reason, got string) bool {
	switch reason {
	case NoAddress:
		return got == whyReasons[NoPort]
	case BadAddress:
		return got == whyReasons[NoPort] || got == whyReasons[NoAddress]
	}
	return false
}

// isPublished reports whether the slices have the ready endpoint as desired.
func isPublished(service *corev1.Service, want Endpoint, group GroupKey, published []*discoveryv1.EndpointSlice) bool {
	for _, slice := range published {
		if slice.Labels[discoveryv1.LabelServiceName] != service.Name || slice.AddressType != group.Family || portSetOfSlice(slice.Ports) != group.Ports {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if e.TargetRef.Name == want.Workload && *e.Conditions.Ready && strings.Join(e.Addresses, ",") == want.Address {
				return true
			}
		}
	}
	return false
}
