package faults_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// Fault: stored objects of any shape, under a CRD without validation.
// Promise: there is no panic, other objects are not blocked, and an object that cannot be
// decoded is reported by name.
func TestStoredObjectsOfAnyShape(t *testing.T) {
	plane := controlplane.ForTest(t, controlplane.Options{})
	crd, err := controlplane.CRD()
	if err != nil {
		t.Fatal(err)
	}
	if err := controlplane.InstallCRD(t.Context(), plane.AdminConfig(), controlplane.Permissive(crd)); err != nil {
		t.Fatal(err)
	}
	w := worldOn(t, plane)
	objects, err := dynamic.NewForConfig(w.config)
	if err != nil {
		t.Fatal(err)
	}
	client := objects.Resource(schema.GroupVersionResource{Group: v1beta1.GroupVersion.Group, Version: v1beta1.GroupVersion.Version, Resource: "externalworkloads"}).Namespace(w.namespace)
	w.seed(w.namespace, 2, 3)
	c := w.alone()
	w.converges(30 * time.Second)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, seed))
	for i := range 300 {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1beta1.GroupVersion.String(), "kind": "ExternalWorkload",
			"metadata": map[string]any{"name": fmt.Sprintf("shape-%d", i), "labels": map[string]any{"app": serviceName(i % 2)}},
			"spec":     randomSpec(draw), "status": randomShape(draw, 3),
		}}
		if _, err := client.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			text, _ := json.Marshal(object)
			t.Fatalf("storing %s: %v", text, err)
		}
	}
	// An object that certainly cannot be decoded.
	broken := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1beta1.GroupVersion.String(), "kind": "ExternalWorkload",
		"metadata": map[string]any{"name": "certainly-broken", "labels": map[string]any{"app": serviceName(0)}},
		"spec":     map[string]any{"ports": "many"},
	}}
	if _, err := client.Create(t.Context(), broken, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Run("neighbours are published while the objects are created", func(t *testing.T) { w.within(t).neighboursGoOn() })
	c.Kill()
	w.start(c)
	t.Run("neighbours are published after a start with the objects", func(t *testing.T) { w.within(t).neighboursGoOn() })
	log, err := os.ReadFile(c.Log())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "panic") {
		t.Error("the log contains a panic")
	}
	if !strings.Contains(string(log), "certainly-broken") {
		t.Error("the log does not name the object that cannot be decoded")
	}
}

func (w *world) neighboursGoOn() {
	w.Helper()
	for s := range 2 {
		name := workloadName(s, 0)
		ready := w.flip(w.namespace, name)
		w.eventually(time.Minute, name+" is published", func() bool { return w.published(w.namespace, name, ready) })
	}
	w.converges(time.Minute)
}

// randomSpec returns a spec that is sometimes nearly valid and sometimes anything.
func randomSpec(draw *rand.Rand) any {
	if draw.IntN(3) == 0 {
		return randomShape(draw, 3)
	}
	spec := map[string]any{"workloadIPs": []any{map[string]any{"ip": randomText(draw)}}, "ports": []any{}}
	for range draw.IntN(4) {
		spec["ports"] = append(spec["ports"].([]any), map[string]any{
			"port": int64(draw.IntN(70000)) - 1000, "name": randomText(draw), "protocol": randomText(draw),
		})
	}
	if draw.IntN(2) == 0 {
		spec["ports"] = append(spec["ports"].([]any), map[string]any{"port": int64(8080), "name": "http"})
	}
	for _, key := range []string{"workloadIPs", "ports", "meshTLS"} {
		if draw.IntN(6) == 0 {
			spec[key] = randomShape(draw, 2)
		}
	}
	return spec
}

func randomShape(draw *rand.Rand, depth int) any {
	kinds := 7
	if depth == 0 {
		kinds = 5
	}
	switch draw.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return draw.IntN(2) == 0
	case 2:
		return draw.Int64() - draw.Int64()
	case 3:
		return draw.NormFloat64() * 1e9
	case 4:
		return randomText(draw)
	case 5:
		list := []any{}
		for range draw.IntN(4) {
			list = append(list, randomShape(draw, depth-1))
		}
		return list
	default:
		object := map[string]any{}
		for range draw.IntN(4) {
			object[randomText(draw)] = randomShape(draw, depth-1)
		}
		return object
	}
}

func randomText(draw *rand.Rand) string {
	texts := []string{
		"", " ", "http", "TCP", "udp", "ip", "port", "name", "conditions", "type", "status", "Ready", "True", "10.7.7.7", "10.7.7.8",
		"2001:db8::7", "::ffff:10.0.0.1", "010.0.0.1", "127.0.0.1", "fe80::1%eth0", "\u0000", "\u202e", "Ünïcödé", "-1", "1e9",
		strings.Repeat("a", 300), "2026-13-45T99:99:99Z", "../../etc", "{}", "null",
	}
	return texts[draw.IntN(len(texts))]
}
