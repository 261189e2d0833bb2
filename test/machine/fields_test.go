package machine

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/invitation"
)

// change is a field with the value that a thief sets.
type change struct {
	path  []string
	value any
}

func (c change) patch() string {
	value := c.value
	for i := len(c.path) - 1; i >= 0; i-- {
		value = map[string]any{c.path[i]: value}
	}
	text, _ := json.Marshal(value)
	return string(text)
}

// changes returns a changed value for each field of a type, and for a list one for each field
// of its elements. Paths are JSON paths.
func changes(t reflect.Type, path []string) []change {
	switch {
	case t.Kind() == reflect.Pointer:
		return changes(t.Elem(), path)
	case t == reflect.TypeFor[metav1.Time](), t == reflect.TypeFor[metav1.FieldsV1](), t.Kind() != reflect.Struct:
		return []change{{path, sample(t)}}
	}
	var all []change
	for _, field := range fieldsOf(t) {
		at := append(append([]string{}, path...), field.name)
		all = append(all, changes(field.kind, at)...)
		if field.kind.Kind() != reflect.Slice || field.kind.Elem().Kind() != reflect.Struct {
			continue
		}
		for _, part := range fieldsOf(field.kind.Elem()) {
			element := sample(field.kind.Elem()).(map[string]any)
			delete(element, part.name)
			all = append(all, change{at, []any{element}})
		}
		all = append(all, change{at, []any{}}, change{at, nil})
	}
	return all
}

type jsonField struct {
	name string
	kind reflect.Type
}

// fieldsOf returns the JSON fields of a struct.
func fieldsOf(t reflect.Type) []jsonField {
	var all []jsonField
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "" && strings.Contains(options, "inline"):
			all = append(all, fieldsOf(field.Type)...)
		case name != "" && name != "-":
			all = append(all, jsonField{name, field.Type})
		}
	}
	return all
}

// sample returns a value of a type that is valid for most fields.
func sample(t reflect.Type) any {
	switch {
	case t == reflect.TypeFor[metav1.Time]():
		return "2020-01-01T00:00:00Z"
	case t == reflect.TypeFor[metav1.FieldsV1]():
		return map[string]any{"f:spec": map[string]any{}}
	case t.Kind() == reflect.Pointer:
		return sample(t.Elem())
	}
	switch t.Kind() {
	case reflect.Struct:
		value := map[string]any{}
		for _, field := range fieldsOf(t) {
			value[field.name] = sample(field.kind)
		}
		return value
	case reflect.Slice:
		return []any{sample(t.Elem())}
	case reflect.Map:
		return map[string]any{"app": "stolen", "example.org/stolen": "true"}
	case reflect.Bool:
		return true
	case reflect.String:
		return "stolen"
	}
	return 4711
}

// fieldsManifest is a manifest with a value in every possible field.
const fieldsManifest = `
apiVersion: workload.linkerd.io/v1beta1
kind: ExternalWorkload
metadata:
  name: vm-1
  namespace: shop
  labels: {app: web}
  annotations: {app: mine, external-workload.io/probe: '{"tcpSocket": {"port": "http"}}'}
  finalizers: [example.org/hold]
  ownerReferences: [{apiVersion: v1, kind: Namespace, name: shop, uid: 00000000-0000-0000-0000-000000000001}]
spec:
  meshTLS: {identity: vm-1, serverName: vm-1.example.org}
  ports: [{name: http, port: 8080, protocol: TCP}]
  workloadIPs: [{ip: 10.77.0.7}]
`

// TestAStolenCredentialMayChangeFewFields changes each field of the type, one after the other.
// The object must stay unchanged, whether the API server refuses the request or ignores the
// field.
func TestAStolenCredentialMayChangeFewFields(t *testing.T) {
	c := newCluster(t, true)
	kubeconfig := c.inviteFields()
	before := c.fields()
	all := changes(reflect.TypeFor[v1beta1.ExternalWorkload](), nil)
	refused := 0
	for _, change := range all {
		if slices.Equal(change.path, []string{"spec", "workloadIPs"}) && (change.value == nil || len(change.value.([]any)) == 0) {
			continue // a machine may remove its addresses
		}
		if err := c.patchAs(kubeconfig, change.patch()); err != nil {
			refused++
		}
		if diff := cmp.Diff(before, c.fields()); diff != "" {
			t.Errorf("%s has changed the object (-before +after):\n%s", change.patch(), diff)
			before = c.fields()
		}
	}
	t.Logf("%d changes of fields, %d of them refused, the others without effect", len(all), refused)
}

// inviteFields invites vm-1 with fieldsManifest and a status.
func (c *cluster) inviteFields() string {
	c.Helper()
	got := c.run(c.plane.Kubeconfig(), "invite", "vm-1", "-n", namespace, "-f", c.file("fields.yaml", fieldsManifest), "--cidr", machineNetwork)
	if got.code != 0 {
		c.Fatalf("invite: exit code %d\n%s", got.code, got.err)
	}
	status := `{"status":{"conditions":[{"type":"Ready","status":"False","reason":"ProbeFailed"}]}}`
	_, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Patch(c.Context(), "vm-1", types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status")
	c.must(err)
	c.Cleanup(func() {
		_ = c.patchAs(c.plane.Kubeconfig(), `{"metadata":{"finalizers":null}}`)
	})
	return c.file("fields.kubeconfig", got.out)
}

// fields returns the stored object without the counters of the API server.
func (c *cluster) fields() map[string]any {
	c.Helper()
	text, err := json.Marshal(c.workload("vm-1"))
	c.must(err)
	var object map[string]any
	c.must(json.Unmarshal(text, &object))
	metadata := object["metadata"].(map[string]any)
	delete(metadata, "resourceVersion")
	delete(metadata, "generation")
	managers := []any{}
	entries, _ := metadata["managedFields"].([]any)
	for _, entry := range entries {
		if entry.(map[string]any)["manager"] != invitation.FieldManager {
			managers = append(managers, entry)
		}
	}
	metadata["managedFields"] = managers
	return object
}

func TestWhatAMachineMayChange(t *testing.T) {
	c := newCluster(t, true)
	kubeconfig := c.inviteFields()
	managers := c.fields()["metadata"].(map[string]any)["managedFields"].([]any)
	forged := maps.Clone(managers[0].(map[string]any))
	forged["time"] = "2099-01-01T00:00:00Z"
	withDrain := maps.Clone(managers[0].(map[string]any))
	withDrain["fieldsV1"] = map[string]any{"f:metadata": map[string]any{"f:annotations": map[string]any{"f:external-workload.io/drain": map[string]any{}}}}
	pinning := map[string]any{
		"manager": invitation.FieldManager, "operation": "Apply", "apiVersion": withDrain["apiVersion"], "fieldsType": "FieldsV1",
		"time":     withDrain["time"],
		"fieldsV1": map[string]any{"f:metadata": map[string]any{"f:labels": map[string]any{"f:app": map[string]any{}}}},
	}
	for _, test := range []struct {
		sentence, patch string
		permitted       bool
	}{
		{"another address in the ranges", `{"spec":{"workloadIPs":[{"ip":"10.77.1.8"}]}}`, true},
		{"no address", `{"spec":{"workloadIPs":[]}}`, true},
		{"an address outside of the ranges", `{"spec":{"workloadIPs":[{"ip":"10.78.0.8"}]}}`, false},
		{"an IPv6 address, while only IPv4 is permitted", `{"spec":{"workloadIPs":[{"ip":"2001:db8::8"}]}}`, false},
		{"an IPv4-mapped address", `{"spec":{"workloadIPs":[{"ip":"::ffff:10.77.0.8"}]}}`, false},
		{"a permitted address and another one", `{"spec":{"workloadIPs":[{"ip":"10.77.0.8"},{"ip":"2001:db8::8"}]}}`, false},
		{"two addresses of one family", `{"spec":{"workloadIPs":[{"ip":"10.77.0.8"},{"ip":"10.77.0.9"}]}}`, false},
		{"an address and wider ranges at once", `{"metadata":{"annotations":{"external-workload.io/invited-cidrs":"0.0.0.0/0"}},"spec":{"workloadIPs":[{"ip":"10.78.0.8"}]}}`, false},
		{"its own drain", `{"metadata":{"annotations":{"external-workload.io/drain":"machine 2026-01-01T00:00:00Z"}}}`, true},
		{"the end of its own drain", `{"metadata":{"annotations":{"external-workload.io/drain":null}}}`, true},
		{"a drain that looks like that of an administrator", `{"metadata":{"annotations":{"external-workload.io/drain":"2026-01-01T00:00:00Z"}}}`, false},
		{"a drain with much text", `{"metadata":{"annotations":{"external-workload.io/drain":"machine ` + strings.Repeat("2", 1000) + `"}}}`, false},
		{"no managedFields", `{"metadata":{"managedFields":[{}]}}`, false},
		{"the entry of another manager with a field more", fmt.Sprintf(`{"metadata":{"managedFields":[%s]}}`, encode(withDrain)), false},
		{"an entry of its own that owns a label", fmt.Sprintf(`{"metadata":{"managedFields":[%s,%s]}}`, encode(managers[0]), encode(pinning)), false},
		{"the entry of another manager with a later time", fmt.Sprintf(`{"metadata":{"managedFields":[%s]}}`, encode(forged)), false},
	} {
		if err := c.patchAs(kubeconfig, test.patch); (err == nil) != test.permitted {
			t.Errorf("%s: permitted %v, want %v: %v", test.sentence, err == nil, test.permitted, err)
		}
	}
	c.must(c.patchAs(c.plane.Kubeconfig(), `{"metadata":{"annotations":{"external-workload.io/drain":"maintenance"}}}`))
	for _, patch := range []string{`{"metadata":{"annotations":{"external-workload.io/drain":null}}}`, `{"metadata":{"annotations":{"external-workload.io/drain":"machine 1"}}}`} {
		if c.patchAs(kubeconfig, patch) == nil {
			t.Errorf("%s has ended the drain of an administrator", patch)
		}
	}
	_, workloads := c.clients(c.config(kubeconfig))
	_, err := workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Patch(t.Context(), "vm-1", types.MergePatchType,
		[]byte(`{"spec":{"workloadIPs":[{"ip":"10.77.0.8"}]}}`), metav1.PatchOptions{FieldManager: "kubectl-client-side-apply"})
	if err == nil {
		t.Error("the machine has written as another field manager")
	}
}

func encode(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}
