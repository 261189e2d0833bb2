package v1beta1_test

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	root        = "../../../../"
	ourCRD      = root + "charts/external-workload-controller/files/crds/workload.linkerd.io_externalworkloads.yaml"
	linkerdsCRD = root + "../shared/reference/linkerd-externalworkload-crd.yaml"
)

// linkerdsFields returns the lines of the table of Linkerd's fields.
func linkerdsFields(t *testing.T) []string {
	t.Helper()
	table, err := os.ReadFile("testdata/linkerd-fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "#") })
}

func TestLinkerdsFieldsAreInOurCRD(t *testing.T) {
	crd, err := os.ReadFile(ourCRD)
	if err != nil {
		t.Fatal(err)
	}
	// Linkerd's CRD requires these two of the list instead of its items, which has no effect.
	want := linkerdsFields(t)
	for i, line := range want {
		if line == ".status.conditions[].status string" || line == ".status.conditions[].type string" {
			want[i] += " required"
		}
	}
	// A client that writes objects for Linkerd's CRD must find no field missing, of another
	// type, or newly required. So the two lists are equal.
	if diff := cmp.Diff(want, crdFields(t, crd)); diff != "" {
		t.Errorf("fields differ (-Linkerd's +ours):\n%s", diff)
	}
}

func TestLinkerdsFieldsAreInOurType(t *testing.T) {
	var want []string
	for _, line := range linkerdsFields(t) {
		want = append(want, strings.TrimSuffix(line, " required"))
	}
	got := goFields("", reflect.TypeFor[v1beta1.ExternalWorkload]())
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields differ (-Linkerd's +ours):\n%s", diff)
	}
}

func TestTableOfLinkerdsFields(t *testing.T) {
	crd, err := os.ReadFile(linkerdsCRD)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("left out: Linkerd's CustomResourceDefinition is not at %s", linkerdsCRD)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(crdFields(t, crd), linkerdsFields(t)); diff != "" {
		t.Errorf("the table differs from Linkerd's CustomResourceDefinition (-definition +table):\n%s", diff)
	}
}

// schema is the part of an OpenAPI schema that this test reads.
type schema struct {
	Type, Format string
	Required     []string
	Properties   map[string]schema
	Items        *schema
}

// crdFields returns a sorted line for each field of version v1beta1.
func crdFields(t *testing.T, crd []byte) []string {
	t.Helper()
	var definition struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := yaml.Unmarshal(crd, &definition); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, version := range definition.Spec.Versions {
		if version.Name == "v1beta1" {
			lines = version.Schema.OpenAPIV3Schema.fields("")
		}
	}
	slices.Sort(lines)
	return lines
}

func (s schema) fields(path string) []string {
	var lines []string
	for name, property := range s.Properties {
		line := property.line(path + "." + name)
		if slices.Contains(s.Required, name) {
			line += " required"
		}
		lines = append(append(lines, line), property.fields(path+"."+name)...)
	}
	if s.Items != nil {
		lines = append(append(lines, s.Items.line(path+"[]")), s.Items.fields(path+"[]")...)
	}
	return lines
}

func (s schema) line(path string) string {
	return strings.TrimSpace(path + " " + s.Type + " " + s.Format)
}

// goFields returns a line for each field that a Go type has as JSON.
func goFields(path string, t reflect.Type) []string {
	var lines []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" && strings.Contains(options, "inline") {
			lines = append(lines, goFields(path, field.Type)...)
			continue
		}
		lines = append(lines, goType(path+"."+name, field.Type)...)
	}
	return lines
}

func goType(path string, t reflect.Type) []string {
	switch {
	case t == reflect.TypeFor[metav1.ObjectMeta]():
		return []string{path + " object"}
	case t == reflect.TypeFor[metav1.Time]():
		return []string{path + " string date-time"}
	case t.Kind() == reflect.String:
		return []string{path + " string"}
	case t.Kind() == reflect.Int32:
		return []string{path + " integer int32"}
	case t.Kind() == reflect.Slice:
		return append([]string{path + " array"}, goType(path+"[]", t.Elem())...)
	case t.Kind() == reflect.Struct:
		return append([]string{path + " object"}, goFields(path, t)...)
	}
	return []string{path + " " + t.String()}
}
