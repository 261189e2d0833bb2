package explain_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/adopt"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/explain"
)

var update = flag.Bool("update", false, "write the golden outputs")

const managedBy = "linkerd-external-workloads-controller"

// now is an hour after the objects were made.
var now = build.Epoch.Add(time.Hour)

func options() explain.Options {
	return explain.Options{Options: desired.Options{ManagedBy: managedBy, Now: now}, MaxEndpoints: 100}
}

// given is a namespace shop.
type given struct {
	services  []*corev1.Service
	workloads []*v1beta1.ExternalWorkload
	// published are the workloads at the controller's last write of slices; nil means the
	// current ones.
	published []*v1beta1.ExternalWorkload
	// change changes the slices.
	change  func([]*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice
	options func(*explain.Options)
}

// slicesOf returns the slices that the controller writes for the objects.
func slicesOf(services []*corev1.Service, workloads []*v1beta1.ExternalWorkload, options explain.Options) []*discoveryv1.EndpointSlice {
	var list []corev1.Service
	for _, s := range services {
		list = append(list, *s)
	}
	var objects []v1beta1.ExternalWorkload
	for _, w := range workloads {
		objects = append(objects, *w)
	}
	var all []*discoveryv1.EndpointSlice
	for _, subject := range adopt.Group(list, objects, map[types.NamespacedName][]*discoveryv1.EndpointSlice{}, now) {
		byName := map[string]*discoveryv1.EndpointSlice{}
		preview := adopt.Compute(&subject, adopt.Options{Options: options.Options, MaxEndpoints: options.MaxEndpoints})
		for _, step := range preview.Steps {
			for _, change := range step {
				if change.After != nil {
					byName[change.After.Name] = change.After
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			all = append(all, byName[name])
		}
	}
	return all
}

func (g *given) namespace() *explain.Namespace {
	o := options()
	if g.options != nil {
		g.options(&o)
	}
	published := g.published
	if published == nil {
		published = g.workloads
	}
	written := slicesOf(g.services, published, o)
	if g.change != nil {
		written = g.change(written)
	}
	return explain.New("shop", explain.Objects{Services: g.services, Workloads: g.workloads, Slices: written}, o)
}

// sliceName matches the part of a slice's name that depends on the content.
var sliceName = regexp.MustCompile(`linkerd-external-(web|admin)-[a-z0-9]+`)

// text returns the answer about workload a, and about the Service web.
func text(t *testing.T, n *explain.Namespace) string {
	t.Helper()
	var out bytes.Buffer
	workload, err := n.Workload("a", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := explain.WriteWorkload(&out, workload, explain.Plain); err != nil {
		t.Fatal(err)
	}
	out.WriteString("---\n")
	service, err := n.Service("web")
	if err != nil {
		t.Fatal(err)
	}
	if err := explain.WriteService(&out, service, now, explain.Plain); err != nil {
		t.Fatal(err)
	}
	return sliceName.ReplaceAllString(out.String(), "linkerd-external-$1-NAME")
}

func ready(status v1beta1.ConditionStatus, reason, message string) build.WorkloadOption {
	c := build.Condition(v1beta1.WorkloadReady, status)
	c.Reason, c.Message = reason, message
	c.LastTransitionTime = metav1.NewTime(now.Add(-3 * time.Minute))
	return build.Conditions(c)
}

func probed(options ...build.WorkloadOption) []build.WorkloadOption {
	return append(options, build.Annotation(v1beta1.ProbeAnnotation, `{"tcpSocket":{"port":8080}}`))
}

func declared(value string) build.WorkloadOption {
	return build.Annotation(v1beta1.ReadyAnnotation, value)
}

func one(options ...build.WorkloadOption) []*v1beta1.ExternalWorkload {
	return []*v1beta1.ExternalWorkload{build.Workload("shop/a", options...)}
}

func web(options ...build.ServiceOption) []*corev1.Service {
	return []*corev1.Service{build.Service("shop/web", options...)}
}

// policies sets fields for which there is no builder.
func policies(change func(*corev1.Service)) []*corev1.Service {
	service := build.Service("shop/web")
	change(service)
	return []*corev1.Service{service}
}

// withCondition adds a condition to those that the options gave.
func withCondition(w []*v1beta1.ExternalWorkload, c v1beta1.WorkloadCondition) []*v1beta1.ExternalWorkload {
	c.LastTransitionTime = metav1.NewTime(now.Add(-2 * time.Minute))
	w[0].Status.Conditions = append(w[0].Status.Conditions, c)
	return w
}

func cases() map[string]given {
	accepted := func(reason, message string) v1beta1.WorkloadCondition {
		return v1beta1.WorkloadCondition{Type: v1beta1.WorkloadAccepted, Status: v1beta1.ConditionFalse, Reason: reason, Message: message}
	}
	zone, prefer := build.Zone("east"), func(how string) []*corev1.Service { return web(build.Traffic(how)) }
	dual := web(build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol))
	ignoreProbes := func(o *explain.Options) { o.IgnoreProbes = true }
	withhold := func(o *explain.Options) { o.WithholdSecondFamily = true }
	policy := corev1.ServiceInternalTrafficPolicyLocal
	return map[string]given{
		"served": {services: web(), workloads: one()},
		"in two Services, served by one": {
			services:  append(web(), build.Service("shop/admin", build.Ports(build.Port("admin", 81, build.ToName("admin"))))),
			workloads: one(),
		},

		"selector: no Service selects it":     {services: web(), workloads: one(build.NoLabels())},
		"selector: one label of two differs":  {services: append(web(build.Selector("app", "other", "tier", "front")), build.Service("shop/far", build.Selector("a", "b"))), workloads: one(build.Label("tier", "front"))},
		"selector: the Service has none":      {services: web(build.NoSelector()), workloads: one()},
		"selector: the type is ExternalName":  {services: web(build.Type(corev1.ServiceTypeExternalName)), workloads: one()},
		"skip: Unreadable":                    {services: web(), workloads: one(build.Annotation(v1beta1.UnreadableAnnotation, "spec.ports is no list"))},
		"skip: NoAddress":                     {services: web(build.Families(corev1.IPv6Protocol)), workloads: one()},
		"skip: NoAddress, not registered":     {services: web(), workloads: one(probed(build.IPs(), build.Conditions(), build.Annotation(v1beta1.InvitedCIDRsAnnotation, "192.0.2.0/24"))...)},
		"skip: NoAddress, none at all":        {services: web(), workloads: one(build.IPs(), build.Conditions())},
		"skip: InvalidAddress":                {services: web(), workloads: one(build.IPs("127.0.0.1"))},
		"skip: InvalidAddress in one family":  {services: dual, workloads: one(build.IPs("192.0.2.1", "fe80::1"))},
		"skip: NoMatchingPort, by name":       {services: web(build.Ports(build.Port("http", 80, build.ToName("web")))), workloads: one()},
		"skip: NoMatchingPort, by number":     {services: web(build.Ports(build.Port("http", 80, build.ToNumber(9090)))), workloads: one()},
		"skip: NoMatchingPort, by protocol":   {services: web(build.Ports(build.Port("http", 80, build.ToName("http"), build.Over("UDP")))), workloads: one()},
		"skip: NoMatchingPort, of none":       {services: web(), workloads: one(build.WorkloadPorts())},
		"skip: DuplicateAddress":              {services: web(), workloads: append(one(), build.Workload("shop/b", build.Created(build.Epoch.Add(-time.Hour))))},
		"skip: DuplicateAddress, in one only": {services: dual, workloads: append(one(build.IPs("192.0.2.1", "2001:db8::1")), build.Workload("shop/b", build.Created(build.Epoch.Add(-time.Hour))))},
		"ports: some of them":                 {services: web(build.Ports(build.Port("http", 80, build.ToName("http")), build.Port("admin", 81, build.ToName("admin")))), workloads: one()},
		"ports: the Service has none":         {services: web(build.Headless(), build.Ports()), workloads: one()},

		"readiness: no condition":                 {services: web(), workloads: one(build.Conditions())},
		"readiness: by others, not ready":         {services: web(), workloads: one(ready("False", "Maintenance", "says the operator"))},
		"readiness: by others, unknown":           {services: web(), workloads: one(ready("Unknown", "", ""))},
		"readiness: by others, published anyway":  {services: web(build.PublishNotReady()), workloads: one(ready("False", "Maintenance", ""))},
		"readiness: declared not ready":           {services: web(), workloads: one(ready("False", "Declared", ""), declared("False"))},
		"readiness: declared in the manifest":     {services: web(), workloads: one(ready("False", "Declared", "declared by the condition in the manifest"))},
		"readiness: InvalidReady":                 {services: web(), workloads: withCondition(one(build.Conditions(), declared("perhaps")), accepted("InvalidReady", `annotation external-workload.io/ready is "perhaps"`))},
		"readiness: ProbeFailed":                  {services: web(), workloads: one(probed(ready("False", "ProbeFailed", "connection refused"))...)},
		"readiness: ProbeSucceeded":               {services: web(), workloads: one(probed(ready("True", "ProbeSucceeded", "connected"), build.Passed("192.0.2.1"))...)},
		"readiness: AddressChanged":               {services: web(), workloads: one(probed(ready("False", "AddressChanged", "the new address has not passed the probe yet"))...)},
		"readiness: a probe without result":       {services: web(), workloads: one(probed(build.Conditions())...)},
		"readiness: InvalidProbe":                 {services: web(), workloads: withCondition(one(probed(build.Conditions())...), accepted("InvalidProbe", "annotation external-workload.io/probe: port is missing"))},
		"readiness: ProbeAddressRefused":          {services: web(), workloads: withCondition(one(probed(build.Conditions())...), accepted("ProbeAddressRefused", "192.0.2.1 must not be probed"))},
		"readiness: HostNotAllowed":               {services: web(), workloads: withCondition(one(probed(build.Conditions())...), accepted("HostNotAllowed", "the probe sets a host"))},
		"readiness: held":                         {services: web(), workloads: one(probed(ready("True", "ProbeHeld", "connection refused"), build.Passed("192.0.2.1"))...)},
		"readiness: a message with escapes":       {services: web(), workloads: one(probed(ready("False", "ProbeFailed", "\x1b[2Jgone\nService web: served"))...)},
		"ignored probes: an agent says ready":     {services: web(), workloads: one(probed(ready("True", "Agent", ""))...), options: ignoreProbes},
		"ignored probes: an agent says not ready": {services: web(), workloads: one(probed(ready("False", "Agent", ""))...), options: ignoreProbes},
		"ignored probes: an old InvalidProbe":     {services: web(), workloads: withCondition(one(probed(build.Conditions())...), accepted("InvalidProbe", "port is missing")), options: ignoreProbes},
		"draining: by the annotation":             {services: web(), workloads: withCondition(one(build.Drained()), v1beta1.WorkloadCondition{Type: v1beta1.WorkloadDraining, Status: v1beta1.ConditionTrue})},
		"draining: by deletion":                   {services: web(), workloads: []*v1beta1.ExternalWorkload{deleting()}},
		"draining: published anyway":              {services: web(build.PublishNotReady()), workloads: one(build.Drained())},
		"hint: PreferClose with a zone":           {services: prefer("PreferClose"), workloads: one(zone)},
		"hint: PreferClose without a zone":        {services: prefer("PreferClose"), workloads: one()},
		"hint: PreferSameZone with a zone":        {services: prefer("PreferSameZone"), workloads: one(zone)},
		"hint: PreferSameNode":                    {services: prefer("PreferSameNode"), workloads: one(zone)},
		"hint: a value that is not known":         {services: prefer("Unknown"), workloads: one(zone)},
		"limit: externalTrafficPolicy Local": {services: policies(func(s *corev1.Service) {
			s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			s.Spec.Type = corev1.ServiceTypeLoadBalancer
		}), workloads: one()},
		"limit: internalTrafficPolicy Local":   {services: policies(func(s *corev1.Service) { s.Spec.InternalTrafficPolicy = &policy }), workloads: one()},
		"limit: headless, a name with a dot":   {services: web(build.Headless()), workloads: append(one(), build.Workload("shop/a.b", build.IPs("192.0.2.2")))},
		"limit: the second family is withheld": {services: dual, workloads: one(build.IPs("192.0.2.1", "2001:db8::1")), options: withhold},
		"withheld: the first family is not proven": {services: dual, options: withhold,
			workloads: one(probed(build.IPs("192.0.2.1", "2001:db8::1"), ready("True", "ProbeSucceeded", ""), build.Passed("2001:db8::1"))...)},
		"withheld: the first family is a duplicate": {services: dual, options: withhold,
			workloads: append(one(build.IPs("192.0.2.1", "2001:db8::1"), ready("True", "", "")), build.Workload("shop/b", build.Created(build.Epoch.Add(-time.Hour))))},
		"withheld: a drain": {services: dual, options: withhold, workloads: one(build.IPs("192.0.2.1", "2001:db8::1"), build.Drained())},
		"withheld: an address of the second family only": {services: dual, options: withhold,
			workloads: one(build.IPs("2001:db8::1"))},
		"slice: not written yet":         {services: web(), workloads: one(ready("True", "", "")), published: []*v1beta1.ExternalWorkload{}, options: soon},
		"slice: an address on its way":   {services: web(), workloads: one(build.IPs("192.0.2.7"), ready("True", "", "")), published: one(), options: soon},
		"slice: refused for a long time": {services: web(), workloads: one(build.IPs("192.0.2.7")), published: one()},
		"slice: the address is that of another": {services: web(), options: soon,
			workloads: append(one(ready("True", "", "")), build.Workload("shop/b", build.IPs("192.0.2.2"), ready("True", "", ""))),
			published: []*v1beta1.ExternalWorkload{build.Workload("shop/b")}},
		"slice: two change together": {services: web(), options: soon,
			workloads: []*v1beta1.ExternalWorkload{build.Workload("shop/0", build.IPs("192.0.2.8"), ready("True", "", "")), build.Workload("shop/a", build.IPs("192.0.2.7"), ready("True", "", ""))},
			published: []*v1beta1.ExternalWorkload{build.Workload("shop/0", build.IPs("192.0.2.9")), build.Workload("shop/a")}},
		"slice: still published":                  {services: web(), workloads: one(build.WorkloadPorts(), ready("True", "", "")), published: one(), options: soon},
		"slice: somebody else writes it":          {services: web(), workloads: one(), change: writtenBy("external-workload-controller", "kubectl-edit")},
		"slice: managed by somebody else as well": {services: web(), workloads: one(), change: managedByAnother},
		"options: another manager, more endpoints": {services: web(), workloads: append(one(), build.Workload("shop/b", build.IPs("192.0.2.2"))), change: managedByAnother,
			options: func(o *explain.Options) { o.ManagedBy, o.MaxEndpoints = "mine", 1 }},
		"manifests alone": {services: web(), workloads: one(), options: func(o *explain.Options) { o.OnlyManifests = true }},
	}
}

func deleting(options ...build.WorkloadOption) *v1beta1.ExternalWorkload {
	w := build.Workload("shop/a", append(options, build.Deleting())...)
	w.Finalizers = []string{"example.org/drain"}
	return w
}

// soon asks while the controller is about to write.
func soon(o *explain.Options) { o.Now = now.Add(-3*time.Minute + time.Second) }

func writtenBy(managers ...string) func([]*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	return func(all []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
		for _, slice := range all {
			for _, manager := range managers {
				slice.ManagedFields = append(slice.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager})
			}
		}
		return all
	}
}

func managedByAnother(all []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	for _, slice := range all {
		copied := slice.DeepCopy()
		copied.Labels[discoveryv1.LabelManagedBy] = "somebody"
		copied.Name += "0"
		all = append(all, copied)
	}
	return all
}

var unsafeName = regexp.MustCompile(`[^a-zA-Z0-9]+`)

func TestAnswersNameTheCause(t *testing.T) {
	for sentence, given := range cases() {
		t.Run(sentence, func(t *testing.T) {
			got := text(t, given.namespace())
			golden := filepath.Join("testdata", strings.Trim(unsafeName.ReplaceAllString(sentence, "-"), "-")+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEveryGoldenOutputHasACase(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for sentence := range cases() {
		names[strings.Trim(unsafeName.ReplaceAllString(sentence, "-"), "-")] = true
	}
	for _, file := range files {
		if !names[strings.TrimSuffix(filepath.Base(file), ".txt")] {
			t.Errorf("%s belongs to no case", file)
		}
	}
}

func TestEverySkipReasonHasACase(t *testing.T) {
	for _, reason := range desired.Reasons {
		found := false
		for _, given := range cases() {
			workload, err := given.namespace().Workload("a", "")
			if err != nil {
				t.Fatal(err)
			}
			for i := range workload.Answers {
				found = found || workload.Answers[i].Reason() == string(reason)
			}
		}
		if !found {
			t.Errorf("no case has the cause %s", reason)
		}
	}
}

func TestWhatIsNotServedHasACauseAndAFix(t *testing.T) {
	for sentence, given := range cases() {
		workload, err := given.namespace().Workload("a", "")
		if err != nil {
			t.Fatal(err)
		}
		for i := range workload.Answers {
			answer := &workload.Answers[i]
			cause := answer.Cause()
			switch {
			case answer.Served == (cause != nil):
				t.Errorf("%s: Service %s: served is %v, the cause %+v", sentence, answer.Service, answer.Served, cause)
			case cause != nil && cause.Result == explain.No && cause.Fix == "":
				t.Errorf("%s: Service %s: no fix for %+v", sentence, answer.Service, cause)
			}
		}
	}
}

func TestWhatIsNotServedIsNotReportedAsServed(t *testing.T) {
	if reason := (&explain.Answer{}).Reason(); reason != "NotServed" {
		t.Errorf("without a cause, the reason is %q, want NotServed", reason)
	}
}

// TestTheAgeIsThatOfTheReason has workloads whose Ready changed before the drain.
func TestTheAgeIsThatOfTheReason(t *testing.T) {
	draining := v1beta1.WorkloadCondition{Type: v1beta1.WorkloadDraining, Status: v1beta1.ConditionTrue}
	longReady := ready("True", "ProbeSucceeded", "")
	for sentence, test := range map[string]struct {
		workloads []*v1beta1.ExternalWorkload
		reason    string
		// since is how long ago; 0 if it is not known.
		since time.Duration
	}{
		"Ready":                              {one(longReady), "ProbeSucceeded", 3 * time.Minute},
		"a drain":                            {withCondition(one(longReady, build.Drained()), draining), "Draining", 2 * time.Minute},
		"a drain that is not yet noted":      {one(longReady, build.Drained()), "Draining", 0},
		"a drain that has ended since":       {withCondition(one(longReady), draining), "ProbeSucceeded", 3 * time.Minute},
		"a deletion that a finalizer delays": {[]*v1beta1.ExternalWorkload{deleting(longReady)}, "Deleting", 59 * time.Minute},
	} {
		got, err := (&given{services: web(), workloads: test.workloads}).namespace().Workload("a", "")
		if err != nil {
			t.Fatal(err)
		}
		var since time.Duration
		if got.State.Since != nil {
			since = now.Sub(*got.State.Since)
		}
		if got.State.Reason != test.reason || since != test.since {
			t.Errorf("%s: %s since %s, want %s since %s", sentence, got.State.Reason, since, test.reason, test.since)
		}
	}
}

func TestTheSourceOfReadiness(t *testing.T) {
	inline := build.Annotation(v1beta1.InlineReadyAnnotation, "True")
	for sentence, test := range map[string]struct {
		workloads []*v1beta1.ExternalWorkload
		want      string
	}{
		"a probe":                            {one(probed()...), "probe"},
		"the annotation":                     {one(declared("True")), "declaration"},
		"the manifest, with the policy":      {one(ready("True", "Declared", "declared by the condition in the manifest"), inline), "declaration"},
		"the manifest, without the policy":   {one(ready("True", "Declared", "declared by the condition in the manifest")), "declaration"},
		"the manifest, not yet followed":     {one(build.Conditions(), inline), "declaration"},
		"the manifest, overruled by another": {one(ready("False", "Agent", ""), inline), "other"},
		"another writer":                     {one(ready("True", "Agent", "")), "other"},
		"a drain":                            {one(declared("True"), build.Drained()), "drain"},
		"a deletion":                         {[]*v1beta1.ExternalWorkload{deleting()}, "deletion"},
	} {
		got, err := (&given{services: web(), workloads: test.workloads}).namespace().Workload("a", "")
		if err != nil {
			t.Fatal(err)
		}
		if got.State.Source != test.want {
			t.Errorf("%s: the source is %q, want %q", sentence, got.State.Source, test.want)
		}
	}
}

func TestAServiceWithoutEndpointsIsNoReasonNotToBeServed(t *testing.T) {
	external := build.Service("shop/ext", build.Type(corev1.ServiceTypeExternalName))
	for sentence, test := range map[string]struct {
		services []*corev1.Service
		ask      string
		served   bool
		asked    []string
		nearest  string
	}{
		"beside one that serves":          {append(web(), external), "", true, []string{"web"}, ""},
		"asked for by name":               {append(web(), external), "ext", false, []string{"ext"}, ""},
		"beside one that does not select": {append(web(build.Selector("app", "other")), external), "", false, nil, "web"},
		"alone":                           {[]*corev1.Service{external}, "", false, nil, "ext"},
	} {
		got, err := (&given{services: test.services, workloads: one()}).namespace().Workload("a", test.ask)
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		for i := range got.Answers {
			asked = append(asked, got.Answers[i].Service)
		}
		nearest := ""
		if got.Nearest != nil {
			nearest = got.Nearest.Service
		}
		if got.Served != test.served || !slices.Equal(asked, test.asked) || nearest != test.nearest {
			t.Errorf("%s: served is %t by %v, nearest %q; want %t by %v, nearest %q", sentence, got.Served, asked, nearest, test.served, test.asked, test.nearest)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	n := (&given{services: web(), workloads: one()}).namespace()
	for _, ask := range []struct{ workload, service, want string }{
		{"z", "", `ExternalWorkload "z" not found in namespace "shop"`},
		{"a", "z", `Service "z" not found in namespace "shop"`},
	} {
		if _, err := n.Workload(ask.workload, ask.service); err == nil || err.Error() != ask.want {
			t.Errorf("error %v, want %s", err, ask.want)
		}
	}
	if _, err := n.Service("z"); err == nil || err.Error() != `Service "z" not found in namespace "shop"` {
		t.Errorf("error %v", err)
	}
}

func TestInputsAreNotChanged(t *testing.T) {
	for sentence, given := range cases() {
		var before []any
		for _, s := range given.services {
			before = append(before, s.DeepCopy())
		}
		for _, w := range given.workloads {
			before = append(before, w.DeepCopy())
		}
		text(t, given.namespace())
		var after []any
		for _, s := range given.services {
			after = append(after, s)
		}
		for _, w := range given.workloads {
			after = append(after, w)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s: -before +after\n%s", sentence, diff)
		}
	}
}
