package integration

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/internal/loopback"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// provocations cause an Event, by its kind, and return the object that it is about. All run
// in one namespace, so each uses its own names; the Services select by the label group.
var provocations = map[string]func(*eventCluster, *testing.T) provoked{
	"Warning ProbeFailed Probe":                     provokeProbeFailed,
	"Normal AddressChanged Probe":                   provokeAddressChanged,
	"Warning ProbeWarning Probe":                    provokeProbeWarning,
	"Warning InvalidProbe DecodeAnnotation":         annotated("invalid-probe", v1beta1.ProbeAnnotation, `{"tcpSocket":{"port":"htpp"}}`),
	"Warning InvalidReady DecodeAnnotation":         annotated("invalid-ready", v1beta1.ReadyAnnotation, "Maybe"),
	"Warning ProbeAddressRefused Probe":             annotated("refused", v1beta1.ProbeAnnotation, `{"tcpSocket":{"port":80,"host":"169.254.169.254"}}`),
	"Warning HostNotAllowed DecodeAnnotation":       provokeHostNotAllowed,
	"Warning DeclarationOverruled DecodeAnnotation": provokeOverruled,
	// The CRD refuses a # in a message, and the message repeats the annotation's value.
	"Warning StatusRefused WriteStatus":        annotated("status-refused", v1beta1.ReadyAnnotation, "#"),
	"Warning ReadyConflict WriteStatus":        provokeReadyConflict,
	"Warning ReadinessHoldBegan HoldReadiness": onLease,
	"Normal ReadinessHoldEnded HoldReadiness":  onLease,
	// The scenario runs with an accelerated clock, so that its minute takes seconds.
	"Warning ReadinessHoldEnded HoldReadiness": onLease,

	"Normal Expired DeleteExpired": expiring("expired",
		build.Annotation(v1beta1.DeleteAfterUnreadyAnnotation, "5m"),
		build.Annotation(v1beta1.ProbeAnnotation, `{"tcpSocket":{"host":"127.0.0.1","port":1},"periodSeconds":1,"failureThreshold":1}`)),
	"Warning InvalidExpiry DecodeAnnotation": expiring("invalid-expiry",
		build.Annotation(v1beta1.DeleteAfterUnreadyAnnotation, "soon")),

	"Warning ForeignWrites Publish":      provokeForeignWrites,
	"Warning PublishingFailed Publish":   provokeFailure,
	"Normal PublishingRecovered Publish": provokeRecovery,
	"Normal Published Publish":           provokePublished,
	"Warning Unreadable Publish":         provokeUnreadable,
	"Warning NoAddress Publish":          leftOut("no-address", build.IPs("2001:db8::1")),
	"Warning InvalidAddress Publish":     leftOut("invalid-address", build.IPs("127.0.0.1")),
	"Warning NoMatchingPort Publish":     leftOut("no-matching-port", build.WorkloadPorts(build.WorkloadPort("other", 9090, "TCP"))),
	"Warning DuplicateAddress Publish":   leftOut("duplicate"),
}

func onWorkload(in *eventSite, name string) provoked { return provoked{in, "ExternalWorkload", name} }

// annotated causes an Event by an annotation.
func annotated(name, annotation, value string) func(*eventCluster, *testing.T) provoked {
	return func(e *eventCluster, t *testing.T) provoked {
		e.main.within(t).createWorkload(name, build.Annotation(annotation, value))
		return onWorkload(e.main, name)
	}
}

// leftOut causes an Event by a workload that its Service skips. Another, older workload is
// published at 192.0.2.1.
func leftOut(name string, options ...build.WorkloadOption) func(*eventCluster, *testing.T) provoked {
	return func(e *eventCluster, t *testing.T) provoked {
		s := e.main.within(t)
		s.group(name)
		s.createWorkload("a-"+name, build.Label("group", name))
		s.awaitSlices(name, "a-"+name)
		s.createWorkload(name, append(options, build.Label("group", name))...)
		return onWorkload(s, name)
	}
}

// group creates a Service that selects workloads by the label group.
func (s *eventSite) group(name string) {
	s.t.Helper()
	s.service(name, build.Selector("group", name))
}

// awaitSlices waits until a Service's slices have exactly these workloads.
func (s *eventSite) awaitSlices(service string, want ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s has %v", service, want), func() (bool, string) {
		var have []string
		for _, slice := range s.slicesOf(service) {
			for i := range slice.Endpoints {
				have = append(have, slice.Endpoints[i].TargetRef.Name)
			}
		}
		return strings.Join(have, " ") == strings.Join(want, " "), fmt.Sprint(have)
	})
}

// probeAt returns a probe of a listener every second with a failure threshold.
func probeAt(at net.Addr, kind string, failures int) build.ObjectOption {
	return build.Annotation(v1beta1.ProbeAnnotation, fmt.Sprintf(
		`{"%s":{"host":"%s","port":%d},"periodSeconds":1,"failureThreshold":%d}`, kind, at.(*net.TCPAddr).IP, at.(*net.TCPAddr).Port, failures))
}

func closeListener(t *testing.T, listener net.Listener) {
	t.Helper()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
}

func provokeProbeFailed(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	listener := s.listener(loopback.AnyPort())
	s.createWorkload("failing", probeAt(listener.Addr(), "tcpSocket", 1))
	s.awaitCondition("failing", "Ready True ProbeSucceeded")
	closeListener(t, listener)
	return onWorkload(s, "failing")
}

func provokeAddressChanged(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	listener := s.listener(loopback.AnyPort())
	s.createWorkload("moving", probeAt(listener.Addr(), "tcpSocket", 30))
	s.awaitCondition("moving", "Ready True ProbeSucceeded")
	closeListener(t, listener) // otherwise the new address could pass at once
	s.editAgain("moving", moveTo("192.0.2.99"))
	return onWorkload(s, "moving")
}

func provokeProbeWarning(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	s.createWorkload("redirecting", probeAt(s.serverThatRedirects(), "httpGet", 1))
	return onWorkload(s, "redirecting")
}

func provokeHostNotAllowed(e *eventCluster, t *testing.T) provoked {
	e.strict.within(t).createWorkload("names-a-host",
		build.Annotation(v1beta1.ProbeAnnotation, `{"tcpSocket":{"port":80,"host":"192.0.2.1"}}`))
	return onWorkload(e.strict, "names-a-host")
}

// provokeOverruled applies a manifest with the condition Ready, and then writes the
// condition as an agent.
func provokeOverruled(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	text := strings.Replace(manifest("overruled", "True"), "namespace: default", "namespace: "+s.namespace, 1)
	e.kubectl(t, text, "apply", "-f", "-")
	s.awaitCondition("overruled", "Ready True Declared")
	s.rivalWrites("overruled", "AgentSays")
	return onWorkload(s, "overruled")
}

// rivalWrites sets Ready to False as another field manager.
func (s *eventSite) rivalWrites(name, reason string) {
	s.t.Helper()
	_, err := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace).Patch(s.t.Context(), name, types.MergePatchType,
		fmt.Appendf(nil, `{"status":{"conditions":[{"type":"Ready","status":"False","reason":%q}]}}`, reason),
		metav1.PatchOptions{FieldManager: "rival"}, "status")
	if err != nil {
		s.t.Fatal(err)
	}
}

func provokeReadyConflict(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	s.createWorkload("contested", build.Annotation(v1beta1.ReadyAnnotation, "True"))
	for range 3 {
		s.awaitCondition("contested", "Ready True Declared")
		s.rivalWrites("contested", "RivalSays")
	}
	return onWorkload(s, "contested")
}

func newLease() *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "controller"}}
}

func onLease(e *eventCluster, t *testing.T) provoked {
	return provoked{e.hold(t), "Lease", "controller"}
}

// letHoldExpire makes all probes of a namespace fail, succeed, and fail until the maximum
// time of a hold is over: a minute of an accelerated clock.
func (e *eventCluster) letHoldExpire(s *eventSite) {
	fast := fastClock{began: time.Now(), factor: 10}
	e.run(s, s.regardLease(), func(config *readiness.Config) {
		config.Clock, config.HoldMaximum = fast, readiness.MinHoldMaximum
	})
	listener := s.listener(loopback.AnyPort())
	await := func(want string) {
		for _, name := range []string{"held-0", "held-1", "held-2"} {
			s.awaitCondition(name, want)
		}
	}
	for i := range 3 {
		s.createWorkload(fmt.Sprint("held-", i), probeAt(listener.Addr(), "tcpSocket", 2))
	}
	await("Ready True ProbeSucceeded")
	closeListener(s.t.(*testing.T), listener)
	await("Ready True ProbeHeld")
	again := s.listener(listener.Addr().String())
	await("Ready True ProbeSucceeded")
	closeListener(s.t.(*testing.T), again)
	await("Ready False ProbeFailed")
}

// expiring causes an Event by a workload with an expiry, with an accelerated clock.
func expiring(name string, options ...build.WorkloadOption) func(*eventCluster, *testing.T) provoked {
	return func(e *eventCluster, t *testing.T) provoked {
		s := e.newSite(t)
		fast := fastClock{began: time.Now(), factor: 50}
		e.run(s, func(config *readiness.Config) {
			config.Clock, config.DeleteExpired, config.HoldMaximum = fast, true, readiness.HoldNever
		})
		s.createWorkload(name, options...)
		return onWorkload(s, name)
	}
}

// createWorkload creates a workload without a status.
func (s *eventSite) createWorkload(name string, options ...build.WorkloadOption) {
	s.t.Helper()
	workload := build.Workload(s.key(name), options...)
	workload.UID, workload.ResourceVersion = "", ""
	if _, err := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace).Create(s.t.Context(), workload, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// editAgain changes a workload while the controller may write its status.
func (s *eventSite) editAgain(name string, change func(*v1beta1.ExternalWorkloadSpec)) {
	s.t.Helper()
	client := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		workload, err := client.Get(s.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(&workload.Spec)
		_, err = client.Update(s.t.Context(), workload, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// provokeForeignWrites repeatedly empties a slice as another client.
func provokeForeignWrites(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	s.group("tampered")
	s.createWorkload("tampered", build.Label("group", "tampered"))
	// A write during a repair may not count.
	for range 10 {
		s.awaitSlices("tampered", "tampered")
		if len(s.eventsOn(t, "tampered")) > 0 {
			break
		}
		slice := s.slicesOf("tampered")[0]
		slice.Endpoints = nil
		if _, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Update(t.Context(), &slice, metav1.UpdateOptions{FieldManager: "rival"}); err != nil {
			t.Fatal(err)
		}
	}
	return provoked{s, "Service", "tampered"}
}

// provokeFailure makes a policy deny the first slice of a Service.
func provokeFailure(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	s.denySlices("denied")
	s.group("denied")
	s.createWorkload("denied", build.Label("group", "denied"))
	return provoked{s, "Service", "denied"}
}

// provokeRecovery deletes the policy of provokeFailure.
func provokeRecovery(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	if err := s.core.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(t.Context(), "deny-slices", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.awaitSlices("denied", "denied")
	return provoked{s, "Service", "denied"}
}

// denySlices denies the creation of slices for a Service, and returns when this is in effect.
func (s *eventSite) denySlices(service string) {
	s.t.Helper()
	const name = "deny-slices"
	policies := s.core.AdmissionregistrationV1()
	_, err := policies.ValidatingAdmissionPolicies().Create(s.t.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule: admissionv1.Rule{
						APIGroups: []string{"discovery.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{"endpointslices"},
					},
				},
			}}},
			Validations: []admissionv1.Validation{{
				Expression: `object.metadata.labels["kubernetes.io/service-name"] != "` + service + `"`,
				Message:    "this Service may have no slices",
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = policies.ValidatingAdmissionPolicyBindings().Create(s.t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	tried := build.Slice(s.key("tried"))
	tried.UID, tried.ResourceVersion, tried.OwnerReferences = "", "", nil
	tried.Labels = map[string]string{"kubernetes.io/service-name": service}
	s.eventually("the policy works", func() (bool, string) {
		_, err := s.core.DiscoveryV1().EndpointSlices(s.namespace).Create(s.t.Context(), tried, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "may have no slices"), fmt.Sprint(err)
	})
}

// provokePublished corrects a skipped workload.
func provokePublished(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	on := leftOut("mended", build.IPs("2001:db8::1"))(e, t)
	s.eventually("it is said that it is left out", func() (bool, string) {
		return len(s.eventsOn(t, "mended")) > 0, "no Event"
	})
	s.editAgain("mended", moveTo("192.0.2.7"))
	return on
}

// provokeUnreadable stores a workload whose ports are a string.
func provokeUnreadable(e *eventCluster, t *testing.T) provoked {
	s := e.main.within(t)
	s.group("unreadable")
	e.kubectl(t, fmt.Sprintf(`{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload",
		"metadata":{"name":"unreadable","namespace":%q,"labels":{"group":"unreadable"}},
		"spec":{"meshTLS":{"identity":"a","serverName":"a"},"workloadIPs":[{"ip":"192.0.2.1"}],"ports":"text"}}`, s.namespace),
		"create", "--validate=false", "-f", "-")
	return onWorkload(s, "unreadable")
}
